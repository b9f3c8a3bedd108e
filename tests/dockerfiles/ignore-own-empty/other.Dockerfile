FROM scratch
COPY a sub /all/
