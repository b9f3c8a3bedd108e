module bfc

go 1.19
