"""Wrong Dockerfiles: what is said, where, and what to do about it."""

from __future__ import annotations

import pytest

from dockerception.dockerfile.stages import load
from dockerception.errors import DockerfileError, UnsupportedError

F = "FROM a\n"

# The Dockerfile, the line that is named (0: none), a part of the message, a part of the hint.
WRONG = [
    ("", 0, "the Dockerfile is empty", "FROM"),
    ("\n  \n", 0, "the Dockerfile is empty", "FROM"),
    ("# only a comment\n", 0, "the Dockerfile is empty", "FROM"),
    ("ARG a\n", 1, "no FROM", "FROM scratch"),
    ("RUN a\nFROM b\n", 1, "RUN stands before FROM", "only ARG"),
    ("ARG a\nENV b=c\nFROM b\n", 2, "ENV stands before FROM", "only ARG"),
    ("FROM\n", 1, "FROM takes an image", "FROM image AS name"),
    ("FROM a b\n", 1, "FROM takes an image", "AS"),
    ("FROM a AS\n", 1, "FROM takes an image", "AS"),
    ("FROM a IS b\n", 1, "FROM takes an image", "AS"),
    ("FROM a AS b c\n", 1, "FROM takes an image", "AS"),
    ("FROM a AS 1st\n", 1, "“1st” can't be the name of a stage", "letter"),
    ("FROM a AS b/c\n", 1, "“b/c” can't be the name", "letters, digits"),
    ("FROM --platfrom=linux/amd64 a\n", 1, "FROM has no flag --platfrom", "did you mean --platform?"),
    ("FROM --platform a\n", 1, "FROM --platform has no value", "--platform=VALUE"),
    ("FROM --platform=a --platform=b c\n", 1, "--platform twice", "keep one"),
    (F + "RUNN a\n", 2, "Unknown instruction: RUNN", "did you mean RUN?"),
    (F + "copyy a b\n", 2, "Unknown instruction: COPYY", "did you mean COPY?"),
    (F + "ENTRYPONT a\n", 2, "Unknown instruction: ENTRYPONT", "did you mean ENTRYPOINT?"),
    (F + "RUN a\n  && b\n", 3, "Unknown instruction: &&", "continuation character"),
    (F + "make all\n", 2, "Unknown instruction: MAKE", "begins with an instruction"),
    (F + "{\n", 2, "Unknown instruction: {", "instruction"),
    (F + "RUN []\n", 2, "RUN has no command", "RUN command"),
    (F + 'RUN ["a", 1]\n', 2, "strings only", "double quotes"),
    (F + "CMD [null]\n", 2, "strings only", "double quotes"),
    (F + 'CMD ["a\\u0000b"]\n', 2, "NUL character", "argument"),
    (F + "RUN --mount= a\n", 2, "RUN --mount is empty", "type=cache"),
    (F + "RUN --mnt=type=bind a\n", 2, "RUN has no flag --mnt", "--mount"),
    (F + "RUN --network=hsot a\n", 2, "RUN --network is “hsot”", "did you mean host?"),
    (F + "RUN --network=bridge a\n", 2, "RUN --network is “bridge”", "default, none, host"),
    (F + "RUN --security=secure a\n", 2, "RUN --security is “secure”", "insecure"),
    (F + "RUN --mount=type=cach,target=/x a\n", 2, "RUN --mount type is “cach”", "did you mean cache?"),
    (F + "RUN --mount=type=cache,targt=/x a\n", 2, "no option “targt”", "did you mean target?"),
    (F + "RUN --mount=type=cache,target a\n", 2, "option “target” has no value", "target=VALUE"),
    (F + "RUN --mount=type=cache,target=/x,sharing=all a\n", 2, "sharing is “all”", "shared, private, locked"),
    (F + "RUN --mount=type=bind,target=/x,sharing=shared a\n", 2, "type=bind has no option “sharing”", "cache"),
    (F + "RUN --mount=type=cache,target=/x,mode=9 a\n", 2, "mode is “9”", "octal"),
    (F + "RUN --mount=type=cache,target=/x,uid=me a\n", 2, "uid is “me”", "decimal"),
    (F + "RUN --mount=type=cache,target=/x,gid=99999999999 a\n", 2, "gid is “99999999999”", "decimal"),
    (F + "RUN --mount=type=bind,target=/x,uid=1 a\n", 2, "type=bind has no option “uid”", "cache, secret, ssh"),
    (F + "RUN --mount=type=tmpfs,target=/x,size=big a\n", 2, "size is “big”", "64m"),
    (F + "RUN --mount=type=bind,target=/ a\n", 2, "/ as its target", "below"),
    (F + "RUN --mount=type=bind,target=/x,ro=maybe a\n", 2, "readonly is “maybe”", "true or false"),
    (F + "RUN --mount=type=secret a\n", 2, "names no secret", "id=NAME"),
    (F + "RUN --mount=type=secret,id=a,source=b a\n", 2, "both source and id", "keep id"),
    (F + "RUN --mount=type=secret,id=a,from=b a\n", 2, "no option “from”", "by id"),
    (F + "RUN --mount=type=ssh,required=perhaps a\n", 2, "required is “perhaps”", "true or false"),
    (F + "RUN --mount=type=bind,from=$X,target=/x a\n", 2, "from= can't hold a variable", "stage of its own"),
    (F + "RUN --mount='\"a' b\n", 2, "can't be read", "quote"),
    (F + "COPY\n", 2, "COPY needs a source and a destination", "COPY source destination"),
    (F + "COPY a\n", 2, "COPY needs a source and a destination", "COPY source destination"),
    (F + 'ADD ["a"]\n', 2, "ADD needs a source and a destination", "ADD source destination"),
    (F + "COPY a <<E\nE\n", 2, "here-document as its destination", "COPY <<EOF /path"),
    (F + "COPY << E /x\nE\n", 2, "none of its sources", "one word"),
    (F + "COPY <<E /x\nabc\n", 2, "here-document <<E has no end", "only E"),
    (F + "COPY --from=$X a b\n", 2, "--from can't hold a variable", "--from=name"),
    (F + "COPY --form=x a b\n", 2, "COPY has no flag --form", "did you mean --from?"),
    (F + "COPY --link=maybe a b\n", 2, "COPY --link is “maybe”", "true or false"),
    (F + "COPY --link= a b\n", 2, "COPY --link has no value", "--link=VALUE"),
    (F + "COPY --chmod=8 a b\n", 2, "--chmod is “8”", "octal"),
    (F + "ADD --chmod=u?x a b\n", 2, "--chmod is “u?x”", "u+x"),
    (F + "COPY https://example.org/x /y\n", 2, "COPY can't take the URL", "use ADD"),
    (F + "COPY git@example.org:x/y.git /y\n", 2, "COPY can't take the URL", "use ADD"),
    (F + "COPY --checksum=sha256:00 a b\n", 2, "COPY has no flag --checksum", "COPY takes"),
    (F + "ADD --from=x a b\n", 2, "ADD has no flag --from", "use COPY --from"),
    (F + "ENV\n", 2, "ENV needs an argument", "NAME=VALUE"),
    (F + "ENV a\n", 2, "ENV a has no value", "ENV a=VALUE"),
    (F + "ENV a=b c\n", 2, "“c” without a “=”", "quote"),
    (F + "ENV =b\n", 2, "“=b” has no name", "NAME=VALUE"),
    (F + "LABEL a=b c d=e\n", 2, "LABEL has “c”", "quote"),
    (F + "ENV --a=b\n", 2, "ENV has no flag --a", "“--”"),
    (F + "ARG\n", 2, "ARG needs an argument", "ARG"),
    (F + "ARG =a\n", 2, "“=a” has no name", "ARG NAME"),
    (F + "WORKDIR\n", 2, "WORKDIR needs an argument", "WORKDIR /path"),
    (F + "USER\n", 2, "USER needs an argument", "uid:gid"),
    (F + "EXPOSE\n", 2, "EXPOSE needs an argument", "8080"),
    (F + "EXPOSE http\n", 2, "EXPOSE “http” is not a port", "65535"),
    (F + "EXPOSE 70000\n", 2, "EXPOSE “70000” is not a port", "65535"),
    (F + "EXPOSE 90-80\n", 2, "EXPOSE “90-80” is not a port", "first-last"),
    (F + "EXPOSE 80/tpc\n", 2, "EXPOSE “80/tpc” has an unknown protocol", "did you mean tcp?"),
    (F + "VOLUME\n", 2, "VOLUME needs an argument", "/data"),
    (F + 'VOLUME ["/a", " "]\n', 2, "VOLUME has an empty path", "directories"),
    (F + "VOLUME []\n", 2, "VOLUME has an empty path", "directories"),
    (F + "CMD --help\n", 2, "CMD has no flag --help", "takes no flags"),
    (F + "SHELL /bin/bash -c\n", 2, "SHELL takes a JSON array", '["/bin/bash", "-c"]'),
    (F + "SHELL []\n", 2, "SHELL takes a JSON array", '["/bin/bash", "-c"]'),
    (F + "STOPSIGNAL\n", 2, "STOPSIGNAL needs an argument", "SIGTERM"),
    (F + "STOPSIGNAL SIGTREM\n", 2, "“SIGTREM” is not a signal", "did you mean SIGTERM?"),
    (F + "STOPSIGNAL 0\n", 2, "“0” is not a signal", "number"),
    (F + "HEALTHCHECK\n", 2, "neither CMD nor NONE", "HEALTHCHECK CMD"),
    (F + "HEALTHCHECK CDM a\n", 2, "“CDM” is neither CMD nor NONE", "did you mean CMD?"),
    (F + "HEALTHCHECK CMD\n", 2, "HEALTHCHECK CMD has no command", "command"),
    (F + "HEALTHCHECK NONE a\n", 2, "NONE takes nothing else", "HEALTHCHECK NONE"),
    (F + "HEALTHCHECK --interval=5 CMD a\n", 2, "--interval is “5”", "30s"),
    (F + "HEALTHCHECK --timeout=1us CMD a\n", 2, "--timeout is 1us", "1ms"),
    (F + "HEALTHCHECK --retries=-1 CMD a\n", 2, "--retries is “-1”", "0 or more"),
    (F + "HEALTHCHECK --intervall=5s CMD a\n", 2, "no flag --intervall", "did you mean --interval?"),
    (F + "MAINTAINER\n", 2, "MAINTAINER needs an argument", "LABEL"),
    (F + "ONBUILD\n", 2, "ONBUILD needs an argument", "ONBUILD COPY"),
    (F + "ONBUILD ONBUILD RUN a\n", 2, "ONBUILD can't be a trigger", "builds on this"),
    (F + "ONBUILD FROM a\n", 2, "FROM can't be a trigger", "builds on this"),
    (F + "ONBUILD maintainer a\n", 2, "MAINTAINER can't be a trigger", "builds on this"),
    (F + "ONBUILD RUNN a\n", 2, "Unknown instruction: RUNN", "did you mean RUN?"),
    (F + "ONBUILD COPY a\n", 2, "COPY needs a source", "COPY source destination"),
    ("# escape=x\nFROM a\n", 1, "escape character can't be “x”", "# escape=`"),
    ("# escape=`\n# escape=`\nFROM a\n", 2, "“escape” is given twice", "once"),
    ("# check=skp=all\nFROM a\n", 1, "“check” has no option “skp=all”", "skip="),
    (F + "BUILD\n", 2, "BUILD needs an argument", "BUILD -"),
    (F + "BUILD a b c\n", 2, "BUILD has too many arguments", "BUILD directory"),
    (F + "BUILD - Dockerfile\n", 2, "BUILD has too many arguments", "BUILD -"),
    (F + "BUILD /out\nRUN a\n", 3, "RUN stands before FROM", "only ARG"),
    (F + "IN /x\n", 2, "IN takes a directory and a “{”", "IN directory {"),
    (F + "IN /x {\nFROM a\n", 2, "block of IN is not closed", "}"),
    (F + "IN /x {\n}\n", 2, "block of IN is empty", "FROM"),
    (F + "IN /x {\nRUN a\n}\n", 3, "one FROM, and it stands first", "FROM"),
    (F + "IN /x {\nFROM a\nFROM b\n}\n", 4, "one FROM, and it stands first", "FROM"),
    (F + "}\n", 2, "closes no block", "IN directory {"),
    (F + "IN /x {\nFROM a\n} RUN b\n", 4, "something behind it", "line of its own"),
    (F + "PUBLISH\n", 2, "PUBLISH needs an argument", "PUBLISH directory"),
    (F + "PUBLISH a b\n", 2, "PUBLISH takes one directory", "PUBLISH directory"),
]


@pytest.mark.parametrize(("text", "line", "message", "hint"), WRONG, ids=[repr(case[0]) for case in WRONG])
def test_wrong_dockerfile(text: str, line: int, message: str, hint: str) -> None:
    with pytest.raises(DockerfileError) as caught:
        load(text.encode(), name="app.Dockerfile")
    error = caught.value
    assert (error.code, error.exit_code) == ("dockerfile", 3)
    assert message in error.message
    assert hint in error.hint
    assert error.message.startswith(f"app.Dockerfile:{line}: " if line else "app.Dockerfile: ")
    if line:
        marked = [row for row in error.details.split("\n") if ">>>" in row]
        assert marked[0].startswith(f"{line:4} | >>> ")


def test_other_front_ends_are_not_supported() -> None:
    with pytest.raises(UnsupportedError) as caught:
        load(b"# syntax=other/frontend:1\nFROM a\n")
    assert caught.value.code == "not-supported"
    assert "# syntax=other/frontend:1" in caught.value.message
    assert ">>> # syntax=other/frontend:1" in caught.value.details
    assert "docker/dockerfile:1" in caught.value.hint


@pytest.mark.parametrize(
    "syntax",
    [
        "docker/dockerfile:1",
        "docker/dockerfile:1.7-labs",
        "docker/dockerfile:labs",
        "docker/dockerfile",
        "docker.io/docker/dockerfile:1",
        "docker/dockerfile-upstream:master",
        "mirror.example:5000/docker/dockerfile:1.3-labs",
        "cache.example/hub/docker/dockerfile-upstream",
        f"docker/dockerfile:1@sha256:{'0' * 64}",
    ],
)
def test_the_front_ends_that_this_one_stands_for(syntax: str) -> None:
    assert load(f"# syntax={syntax}\nFROM a\n".encode()).directives.syntax == syntax


def test_the_whole_instruction_is_marked() -> None:
    with pytest.raises(DockerfileError) as caught:
        load(b"FROM a\nRUN --mount=type=x \\\n  b \\\n  c\nUSER d\n")
    marked = [row[:4] for row in caught.value.details.split("\n") if ">>>" in row]
    assert marked == ["   2", "   3", "   4"]
