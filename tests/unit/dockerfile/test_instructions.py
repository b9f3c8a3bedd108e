"""What each instruction becomes."""

from __future__ import annotations

import pytest

from dockerception.dockerfile.instructions import (
    Add,
    Arg,
    Argument,
    Build,
    Cmd,
    Copy,
    Entrypoint,
    Env,
    Exec,
    Expose,
    From,
    Healthcheck,
    In,
    Instruction,
    Label,
    Lines,
    Maintainer,
    Mount,
    Onbuild,
    Pair,
    Publish,
    Run,
    Script,
    Shell,
    ShellInstruction,
    Stopsignal,
    User,
    Volume,
    Workdir,
    parse_instruction,
    read_instructions,
)
from dockerception.dockerfile.parser import parse
from dockerception.errors import DockerfileError

HERE = Lines(1, 1)


def only(source: str) -> Instruction:
    instructions = read_instructions(parse(source))
    assert len(instructions) == 1, instructions
    return instructions[0]


def fields(instruction: Instruction) -> dict[str, object]:
    """The fields without the place, those of an inner tuple as they are."""
    names = instruction.__struct_fields__
    return {name: getattr(instruction, name) for name in names if name not in ("location", "original")}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("FROM a", {"base": "a", "name": "", "platform": ""}),
        ("FROM a:1 as Web-1.x", {"base": "a:1", "name": "web-1.x", "platform": ""}),
        ("FROM --platform=$P a@sha256:0", {"base": "a@sha256:0", "name": "", "platform": "$P"}),
        ("ARG a", {"arguments": (Argument("a"),)}),
        ("ARG a= b='c d' e", {"arguments": (Argument("a", ""), Argument("b", "'c d'"), Argument("e"))}),
        ("WORKDIR /a b", {"path": "/a b"}),
        ("USER a:b", {"user": "a:b"}),
        ("MAINTAINER A B <c>", {"name": "A B <c>"}),
        ("STOPSIGNAL sigterm", {"signal": "sigterm"}),
        ("STOPSIGNAL SIGRTMIN+3", {"signal": "SIGRTMIN+3"}),
        ("STOPSIGNAL 9", {"signal": "9"}),
        ("STOPSIGNAL $S", {"signal": "$S"}),
        ("EXPOSE 80 443/udp  $P", {"ports": ("80", "443/udp", "$P")}),
        ("VOLUME /a /b", {"paths": ("/a", "/b")}),
        ('VOLUME ["/a b", "/c"]', {"paths": ("/a b", "/c")}),
        ("VOLUME ['/a']", {"paths": ("['/a']",)}),
        ('SHELL ["/bin/bash", "-c"]', {"argv": ("/bin/bash", "-c")}),
        ("BUILD /out", {"directory": "/out", "dockerfile": ""}),
        ("BUILD /out Dockerfile.run", {"directory": "/out", "dockerfile": "Dockerfile.run"}),
        ("BUILD -", {"directory": "-", "dockerfile": ""}),
        ("PUBLISH $D", {"directory": "$D"}),
        ("ONBUILD copy . /src", {"trigger": "copy . /src"}),
        ("ONBUILD RUN a \\\n b", {"trigger": "RUN a  b"}),
        ("ONBUILD COPY <<-E /f\n\tx\n\tE", {"trigger": "COPY <<-E /f\n\tx\nE"}),
    ],
)
def test_simple_instructions(text: str, expected: dict[str, object]) -> None:
    assert fields(only(text)) == expected


@pytest.mark.parametrize("keyword", ["RUN", "CMD", "ENTRYPOINT"])
def test_no_command_is_an_empty_line_for_the_shell(keyword: str) -> None:
    instruction = only(keyword)
    assert isinstance(instruction, Run | Cmd | Entrypoint)
    assert instruction.command == Shell("")


@pytest.mark.parametrize(
    ("text", "same"),
    [
        ("FROM --platform= a", "FROM a"),
        ("COPY --from= --chown= --chmod= a b", "COPY a b"),
        ("ADD --checksum= a b", "ADD a b"),
        ("HEALTHCHECK --interval= --retries= CMD a", "HEALTHCHECK CMD a"),
        ("HEALTHCHECK --interval=soon --nothing NONE", "HEALTHCHECK NONE"),
    ],
)
def test_flags_without_effect(text: str, same: str) -> None:
    assert fields(only(text)) == fields(only(same))


@pytest.mark.parametrize(
    ("text", "pairs", "is_legacy"),
    [
        ("ENV a=b", [("a", "b")], False),
        ("ENV a=b c=d", [("a", "b"), ("c", "d")], False),
        ("ENV a= b=''", [("a", ""), ("b", "''")], False),
        ('ENV a="b c" d=e\\ f', [("a", '"b c"'), ("d", "e\\ f")], False),
        ("ENV a=b=c", [("a", "b=c")], False),
        ("ENV 'a b'=c", [("'a b'", "c")], False),
        ('ENV a="b \\" c" d=1', [("a", '"b \\" c"'), ("d", "1")], False),
        ("ENV a='b \\' c=1", [("a", "'b \\'"), ("c", "1")], False),
        ("ENV a b", [("a", "b")], True),
        ("ENV a  b  c=d", [("a", "b  c=d")], True),
        ('ENV a "b c"', [("a", '"b c"')], True),
        ("LABEL a.b=c", [("a.b", "c")], False),
        ('LABEL "a b"="c d"', [('"a b"', '"c d"')], False),
        ("LABEL a b c", [("a", "b c")], True),
    ],
)
def test_pairs(text: str, pairs: list[tuple[str, str]], is_legacy: bool) -> None:
    kind = Env if text.startswith("ENV") else Label
    instruction = only(text)
    assert isinstance(instruction, kind)
    assert instruction.pairs == tuple(Pair(*pair) for pair in pairs)
    assert instruction.is_legacy is is_legacy


@pytest.mark.parametrize(
    ("text", "command"),
    [
        ("a b", Shell("a b")),
        ('["a", "b c"]', Exec(("a", "b c"))),
        ('[ "a" ,"b" ]', Exec(("a", "b"))),
        ('["a"', Shell('["a"')),
        ("['a']", Shell("['a']")),
        ('["a"] # b', Exec(("a",))),
        ('["a]", "\\"["]] && b', Exec(("a]", '"['))),
        ('["a" "b"] c', Shell('["a" "b"] c')),
        ('["c:\\x"]', Shell('["c:\\x"]')),
        ("[ -f a ] && b", Shell("[ -f a ] && b")),
        ('["\\u00e9\\n"]', Exec(("é\n",))),
        ('["\\ud83d\\ude00", "\\ud83d", "\\ude00\\ud83d"]', Exec(("😀", "\ufffd", "\ufffd\ufffd"))),
        ('["\\\\ud83d"]', Exec(("\\ud83d",))),
        ("[" * 5000, Shell("[" * 5000)),
    ],
)
@pytest.mark.parametrize("keyword", ["RUN", "CMD", "ENTRYPOINT", "HEALTHCHECK CMD"])
def test_shell_and_exec_form(keyword: str, text: str, command: Shell | Exec) -> None:
    instruction = only(f"{keyword} {text}")
    assert isinstance(instruction, Run | Cmd | Entrypoint | Healthcheck)
    assert instruction.command == command


def test_cmd_and_entrypoint_may_be_cleared() -> None:
    assert fields(only("CMD []")) == {"command": Exec(())}
    assert fields(only("ENTRYPOINT []")) == {"command": Exec(())}
    assert fields(only("CMD")) == {"command": Shell("")}


@pytest.mark.parametrize(
    ("text", "command"),
    [
        ("RUN <<E\na\nb\nE", Shell("a\nb\n")),
        ("RUN <<-'E'\n\ta\n\tE", Shell("a\n")),
        ("RUN <<E\n#!/bin/python\nx\nE", Script("E", "#!/bin/python\nx\n")),
        ("RUN <<-E\n#!/bin/python\n\tx\nE", Script("E", "#!/bin/python\nx\n")),
        ("RUN <<-E\n\t#!/bin/python\n\tx\nE", Shell("#!/bin/python\nx\n")),
        ("RUN <<E sh\na\nE", Shell("<<E sh\na\nE")),
        ("RUN cat <<A <<B\na\nA\nb\nB", Shell("cat <<A <<B\na\nA\nb\nB")),
    ],
)
def test_here_documents_of_run(text: str, command: Shell | Script) -> None:
    instruction = only(text)
    assert isinstance(instruction, Run)
    assert instruction.command == command
    if isinstance(command, Script):
        assert command.path == "/dev/pipes/E"


def test_run_flags() -> None:
    run = only("RUN --network=none --security=insecure --device=a/b=c --device=d e")
    assert isinstance(run, Run)
    assert (run.network, run.security, run.devices) == ("none", "insecure", ("a/b=c", "d"))
    plain = only("RUN a")
    assert isinstance(plain, Run)
    assert (plain.network, plain.security, plain.mounts) == ("default", "sandbox", ())


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("target=/x", {"type": "bind", "target": "/x", "is_read_only": True}),
        ("type=bind,from=b,src=s,dst=/x,rw", {"from_": "b", "source": "s", "target": "/x", "is_read_only": False}),
        ("type=bind,destination=/x,readwrite=false", {"target": "/x", "is_read_only": True}),
        ("type=cache,id=i,target=/x,sharing=LOCKED", {"id": "i", "sharing": "locked", "is_read_only": False}),
        ("type=cache,target=/x,ro,mode=0700,uid=1,gid=2", {"mode": 0o700, "uid": 1, "gid": 2, "is_read_only": True}),
        ("TYPE=tmpfs,target=/x,size=1.5g", {"type": "tmpfs", "size": 3 << 29, "is_read_only": False}),
        ("type=tmpfs,target=/x,size=64MiB", {"size": 64 << 20}),
        ("type=secret,id=s,env=S,required", {"id": "s", "env": "S", "is_required": True}),
        ("type=secret,target=/run/s,required=0", {"target": "/run/s", "is_required": False}),
        ("type=ssh,mode=600", {"type": "ssh", "mode": 0o600, "is_read_only": True}),
        ("type=ssh", {"type": "ssh"}),
        ('type=bind,"source=a,b",target=/x', {"source": "a,b"}),
        ("type=cache,target=/x,uid=$U", {"type": "cache", "uid": None}),
    ],
)
def test_mounts(text: str, expected: dict[str, object]) -> None:
    run = only(f"RUN --mount='{text}' a")
    assert isinstance(run, Run)
    (mount,) = run.mounts
    assert isinstance(mount, Mount)
    assert {name: getattr(mount, name) for name in expected} == expected


def test_copy() -> None:
    copy = only("COPY --from=b --chown=u:g --chmod=u+x --link --parents --exclude=*.o --exclude=x s1 s2 /d/")
    assert fields(copy) == {
        "sources": ("s1", "s2"),
        "destination": "/d/",
        "from_": "b",
        "chown": "u:g",
        "chmod": "u+x",
        "is_link": True,
        "keeps_parents": True,
        "exclude": ("*.o", "x"),
        "files": (),
        "root": "",
    }
    spaced = only('COPY ["a b", "c d"]')
    assert isinstance(spaced, Copy)
    assert (spaced.sources, spaced.destination) == (("a b",), "c d")


def test_add() -> None:
    add = only("ADD --checksum=sha256:0 --keep-git-dir --unpack=false --link=false https://x/y /d")
    assert fields(add) == {
        "sources": ("https://x/y",),
        "destination": "/d",
        "chown": "",
        "chmod": "",
        "checksum": "sha256:0",
        "is_link": False,
        "keeps_git_dir": True,
        "unpack": False,
        "exclude": (),
        "files": (),
    }


@pytest.mark.parametrize("keyword", ["COPY", "ADD"])
def test_here_documents_are_sources(keyword: str) -> None:
    instruction = only(f"{keyword} a <<one <<-'two' /d/\n1\none\n\t$2\n\ttwo\n")
    assert isinstance(instruction, Copy | Add)
    assert instruction.sources == ("a",)
    assert [(file.name, file.body, file.is_expanded) for file in instruction.files] == [
        ("one", "1\n", True),
        ("two", "$2\n", False),
    ]
    assert instruction.location == Lines(1, 5)


def test_json_words_are_never_here_documents() -> None:
    copy = only('COPY ["<<E", "/x"]')
    assert isinstance(copy, Copy)
    assert (copy.sources, copy.files) == (("<<E",), ())


def test_healthcheck() -> None:
    text = "HEALTHCHECK --interval=1m30s --timeout=.5s --start-period=1h --start-interval=1500us --retries=3 cmd a"
    assert fields(only(text)) == {
        "command": Shell("a"),
        "interval": 90 * 10**9,
        "timeout": 5 * 10**8,
        "start_period": 3600 * 10**9,
        "start_interval": 1_500_000,
        "retries": 3,
    }
    assert fields(only("HEALTHCHECK none"))["command"] is None


def test_blocks() -> None:
    block = only("IN $D {\n  FROM a\n  IN /y {\n FROM b\n }\n  RUN c\n}\n")
    assert isinstance(block, In)
    assert (block.directory, block.location) == ("$D", Lines(1, 7))
    base, inner, run = block.instructions
    assert isinstance(base, From)
    assert isinstance(inner, In)
    assert isinstance(run, Run)
    assert [type(one) for one in inner.instructions] == [From]
    deep = "IN a {\nFROM b\n" * 20 + "}\n" * 20
    with pytest.raises(DockerfileError, match="nested more than"):
        read_instructions(parse(deep))


def test_every_class_has_place_and_original() -> None:
    source = "FROM a\n\nrun \\\n  b\n"
    assert [(one.location, one.original) for one in read_instructions(parse(source))] == [
        (Lines(1, 1), "FROM a"),
        (Lines(3, 4), "RUN b"),
    ]


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("RUN a", Run),
        ("COPY a b", Copy),
        ("ADD <<E /x\nhi\nE", Add),
        ("ENV a=b", Env),
        ("EXPOSE 80", Expose),
        ("VOLUME /a", Volume),
        ("WORKDIR /a", Workdir),
        ("USER a", User),
        ("STOPSIGNAL 9", Stopsignal),
        ('SHELL ["a"]', ShellInstruction),
        ("ARG a", Arg),
    ],
)
def test_parse_instruction(text: str, kind: type) -> None:
    instruction = parse_instruction(text, name="ONBUILD of base")
    assert isinstance(instruction, kind)
    assert instruction.location.start == 1


def test_parse_instruction_keeps_to_the_escape_given() -> None:
    run = parse_instruction("# escape=\\\nRUN a `\n b", name="x", escape="`")
    assert isinstance(run, Run)
    assert run.command == Shell("a  b")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is not one instruction"),
        ("RUN a\nRUN b", "is not one instruction"),
        ("FROM a", "FROM can't be a trigger"),
        ("ONBUILD RUN a", "ONBUILD can't be a trigger"),
        ("MAINTAINER a", "MAINTAINER can't be a trigger"),
        ("RNU a", "Unknown instruction: RNU"),
        ("COPY a", "needs a source and a destination"),
        ("COPY <<E /x", "has no end"),
    ],
)
def test_wrong_triggers_name_their_image(text: str, message: str) -> None:
    with pytest.raises(DockerfileError) as caught:
        parse_instruction(text, name="ONBUILD of base:latest")
    assert message in caught.value.message
    assert caught.value.message.startswith("ONBUILD of base:latest:")


def test_unused_classes_are_instructions() -> None:
    assert isinstance(only("BUILD -"), Build)
    assert isinstance(only("PUBLISH /"), Publish)
    assert isinstance(only("ONBUILD RUN a"), Onbuild)
    assert isinstance(only("MAINTAINER a"), Maintainer)
