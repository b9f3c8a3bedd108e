"""Which fields variables are put into."""

from __future__ import annotations

import pytest

from dockerception.dockerfile.instructions import (
    Add,
    Arg,
    Build,
    Copy,
    Env,
    Expose,
    In,
    Instruction,
    Pair,
    Run,
    expand_instruction,
    parse_instruction,
    read_instructions,
    resolve_arguments,
)
from dockerception.dockerfile.parser import parse
from dockerception.errors import DockerfileError

VARIABLES = {"v": "value", "list": "80 443/udp", "q": "a'b", "e": "", "n": "1000"}


def only(source: str) -> Instruction:
    (instruction,) = read_instructions(parse(source))
    return instruction


@pytest.mark.parametrize(
    ("text", "field", "expected"),
    [
        ("FROM ${v}:$n", "base", "value:1000"),
        ("FROM --platform=linux/$v a", "platform", "linux/value"),
        ("ENV $v=$v", "pairs", (Pair("value", "value"),)),
        ("ENV a=1 b=$a", "pairs", (Pair("a", "1"), Pair("b", ""))),
        ("ENV a=\"$v x\" b='$v' c=\\$v", "pairs", (Pair("a", "value x"), Pair("b", "$v"), Pair("c", "$v"))),
        ('ENV a b "c  d"  $v', "pairs", (Pair("a", "b c  d  value"),)),
        ("ENV a=$q", "pairs", (Pair("a", "a'b"),)),
        ('LABEL "k $v"="$v"', "pairs", (Pair("k value", "value"),)),
        ("EXPOSE $list", "ports", ("80/tcp", "443/udp")),
        ("EXPOSE 443 80-82/udp 127.0.0.1:8080:80", "ports", ("80/tcp", "80/udp", "81/udp", "82/udp", "443/tcp")),
        ("EXPOSE $nope", "ports", ()),
        ("EXPOSE 80 80/TCP", "ports", ("80/tcp",)),
        ("EXPOSE 0 81/ 0082 00083-00084/sctp", "ports", ("0/tcp", "81/tcp", "82/tcp", "83/sctp", "84/sctp")),
        ("EXPOSE :80 8080:81 8000-8009:82", "ports", ("80/tcp", "81/tcp", "82/tcp")),
        ("EXPOSE 0.0.0.0:1-2:3-4/udp", "ports", ("3/udp", "4/udp")),
        (
            "EXPOSE [fe80::1]:80:81 [fe80::1]::82 fe80::1:80:83 fe80::1::84",
            "ports",
            ("81/tcp", "82/tcp", "83/tcp", "84/tcp"),
        ),
        ('LABEL ""=a $nope=b', "pairs", (Pair("", "a"), Pair("", "b"))),
        ("STOPSIGNAL ${nope:-SIGINT}", "signal", "SIGINT"),
        ("USER $n:$v", "user", "1000:value"),
        ("VOLUME /$v /b", "paths", ("/value", "/b")),
        ('VOLUME ["/$v"]', "paths", ("/value",)),
        ("WORKDIR /$v/$nope", "path", "/value/"),
        ('WORKDIR "/a b"', "path", "/a b"),
        ("COPY $v ${v}2 /$v", "sources", ("value", "value2")),
        ("COPY $v /$v", "destination", "/value"),
        ("COPY --chown=$n:$v a b", "chown", "1000:value"),
        ("COPY --chmod=${nope:-755} a b", "chmod", "755"),
        ("COPY --exclude=$v a b", "exclude", ("$v",)),
        ("ADD $v /$v", "sources", ("value",)),
        ("ADD --checksum=$v a b", "checksum", "value"),
        ("BUILD /$v $v", "directory", "/value"),
        ("BUILD /$v $v", "dockerfile", "value"),
        ("PUBLISH /$v", "directory", "/value"),
        ("RUN --network=none $v", "text", "$v"),
        ("CMD $v", "original", "CMD $v"),
        ("ONBUILD RUN $v", "trigger", "RUN $v"),
        ("MAINTAINER $v", "name", "$v"),
        ('SHELL ["$v"]', "argv", ("$v",)),
    ],
)
def test_fields(text: str, field: str, expected: object) -> None:
    instruction = only(text)
    expanded = expand_instruction(instruction, VARIABLES)
    assert type(expanded) is type(instruction)
    assert getattr(expanded, field) == expected
    assert expanded.location == instruction.location


def test_mount_options() -> None:
    run = only("RUN --mount=type=$t,target=/$v,uid=$n,mode=0$m,source=$nope,from=b a")
    assert isinstance(run, Run)
    assert run.mounts[0].from_ == "b"
    (mount,) = expand_instruction(run, VARIABLES | {"t": "cache", "m": "700"}).mounts
    assert (mount.type, mount.target, mount.uid, mount.mode, mount.source) == ("cache", "/value", 1000, 0o700, "")
    assert not mount.is_read_only


def test_here_document_of_copy() -> None:
    text = 'COPY <<E <<"F" <<-G /d/\n"$v" \\$v\nE\n$v\nF\n\t$t\nG\n'
    copy = only(text)
    assert isinstance(copy, Copy)
    files = expand_instruction(copy, VARIABLES | {"t": "\tx"}).files
    assert [(file.name, file.body) for file in files] == [("E", '"value" $v\n'), ("F", "$v\n"), ("G", "\tx\n")]


def test_directory_of_a_block() -> None:
    block = only("IN /$v {\nFROM $v\n}")
    assert isinstance(block, In)
    expanded = expand_instruction(block, VARIABLES)
    assert expanded.directory == "/value"
    assert expanded.instructions == block.instructions


def test_arguments_see_those_before_them() -> None:
    arg = only("ARG a=$v b=$a-x c d=${c-unset}")
    assert isinstance(arg, Arg)
    assert [(one.name, one.default) for one in expand_instruction(arg, VARIABLES).arguments] == [
        ("a", "value"),
        ("b", "value-x"),
        ("c", None),
        ("d", "unset"),
    ]


def test_an_override_hides_the_default() -> None:
    arg = only('ARG a="${nope:?say it}" b=$a c')
    assert isinstance(arg, Arg)
    resolved = resolve_arguments(arg, VARIABLES, overrides={"a": "$v", "c": "z"})
    assert resolved == (("a", "$v"), ("b", "$v"), ("c", "z"))
    with pytest.raises(DockerfileError, match="nope: say it"):
        resolve_arguments(arg, VARIABLES)


def test_used_names() -> None:
    used: set[str] = set()
    expand_instruction(only("COPY --chown=$n ${nope:-$v} <<E /x\n$q\nE\n"), VARIABLES, used=used)
    assert used == {"n", "nope", "v", "q"}


def test_escape_character() -> None:
    env = only("ENV a=`$v b=c:\\$v")
    assert isinstance(env, Env)
    assert expand_instruction(env, VARIABLES, escape="`").pairs == (Pair("a", "$v"), Pair("b", "c:\\value"))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("FROM $nope", "names no image"),
        ("FROM ${nope:?set}", "nope: set"),
        ("ENV a=${v", "is not closed"),
        ("ENV a='b", "single quote"),
        ("ENV $nope=1", "name “$nope” is empty"),
        ("EXPOSE $v", "“value” is not a port"),
        ("EXPOSE $v:80", "“value:80” has “value” for a port of the host"),
        ("EXPOSE $v:80:80", "“value:80:80” has “value” for an address"),
        ("EXPOSE $n-1001:80-82", "has “1000-1001” for a port of the host"),
        ("VOLUME /a $nope", "VOLUME has an empty path"),
        ("ARG $nope=1", "ARG “$nope” has no name"),
        ("STOPSIGNAL $v", "“value” is not a signal"),
        ("STOPSIGNAL $nope", "“” is not a signal"),
        ("COPY --chmod=$v a b", "--chmod is “value”"),
        ("COPY https$colon//x /y", "can't take the URL https://x"),
        ("COPY <<E /x\n${v\nE", "“${v…}” is not a form that variables have, in “${v”"),
        ("RUN --mount=type=$v,target=/x a", "type is “value”"),
        ("RUN --mount=type=cache,target=/x,uid=$v a", "uid is “value”"),
        ("ARG a=${nope?}", "nope: it is not allowed to be unset"),
        ('COPY "a b" /x', "double quote"),
    ],
)
def test_errors_say_what_is_wrong_and_leave_the_place_to_whoever_has_the_file(text: str, message: str) -> None:
    with pytest.raises(DockerfileError) as caught:
        expand_instruction(only(text), VARIABLES | {"colon": ":"})
    assert message in caught.value.message
    assert caught.value.hint
    assert not caught.value.details


def test_the_type_is_kept() -> None:
    add = parse_instruction("ADD a b", name="x")
    assert isinstance(add, Add)
    assert expand_instruction(add, {}) == add
    assert isinstance(expand_instruction(only("BUILD -"), {}), Build)
    assert isinstance(expand_instruction(only("EXPOSE 1"), {}), Expose)
