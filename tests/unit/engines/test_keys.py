"""What a cache key depends on, and what it does not."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import msgspec
import pytest

from dockerception.context.base import Context
from dockerception.dockerfile import instructions as ins
from dockerception.dockerfile import stages
from dockerception.engines.base import Level, Secret, SshAgent
from dockerception.engines.embedded import keys
from dockerception.engines.embedded.inputs import Inputs
from dockerception.engines.embedded.reading import Files, Reading
from dockerception.engines.embedded.values import Base
from dockerception.oci.entry import Entry
from dockerception.oci.stream_limits import Limits
from unit.context.trees import Tree, file, folder, hardlink, link
from unit.engines.lab import evaluator, settings


def inputs(text: str, context: Context, **changes: Any) -> tuple[Inputs, object]:
    """The inputs of a Dockerfile without named contexts, and its last stage."""
    found = evaluator(text, **changes)
    changes.pop("images", None)
    dockerfile = stages.load(text.encode())
    level = Level(index=0, dockerfile=dockerfile, context=context, settings=settings(**changes))

    def nothing(stage: object) -> Files:
        raise AssertionError("no stage is built here")

    bases = SimpleNamespace(added=None)
    reading = Reading(level, found, bases, nothing)  # type: ignore[arg-type]
    return Inputs(level, reading), found.stage(dockerfile.stages[-1].index)


def definition(text: str, context: Context | None = None, **changes: Any) -> str:
    """The definition key of the last stage."""
    of, stage = inputs(text, context or Tree(), **changes)
    return of.definition(stage)  # type: ignore[arg-type]


def test_exact_keys() -> None:
    """Another machine and a later version must compute the same; whoever changes one raises ``keys.VERSION``."""
    assert keys.VERSION == 3
    assert keys.derive("stage", ()) == "d56f92c43314d8d51114d67e09699cd44a0e3ee723c342800e90c0e01f59e708"
    run = definition("FROM scratch\nARG A=1\nENV B=2\nWORKDIR /w\nUSER me\nRUN --network=none make")
    assert run == "a47fccdf90edd16c1ed761b481fc6a8b66391d035948d528bbfa141df345ecf5"
    copy = definition("FROM scratch\nCOPY --chown=1:2 --chmod=755 a b /c/", Tree(file("a", "1"), file("b", "2")))
    assert copy == "926963215c4c68505ddd30f298e08c8924d4bc3fabebbc41a53c398c0444664b"


RUN = "FROM scratch\nRUN make"


@pytest.mark.parametrize(
    "text",
    [
        "FROM scratch\nLABEL a=b\nRUN make",
        "FROM scratch\nRUN make\nLABEL a=b",
        "FROM scratch\nCMD x\nEXPOSE 80\nVOLUME /v\nSTOPSIGNAL 9\nHEALTHCHECK NONE\nMAINTAINER me\nRUN make",
        "FROM scratch AS named\nRUN make",
        "FROM scratch\n\n# a comment\nRUN    make",
        "FROM scratch\nrun make",
        "FROM scratch\nRUN \\\n  make",
        'FROM scratch\nRUN ["/bin/sh", "-c", "make"]',
        'FROM scratch\nSHELL ["/bin/sh", "-c"]\nRUN make',
        "FROM scratch\nARG UNSET\nRUN make",
        "FROM scratch\nONBUILD RUN x\nRUN make",
        "FROM scratch\nRUN make\nENV A=1",
        "FROM scratch\nWORKDIR /\nRUN make",
        "ARG B=1\nFROM scratch\nRUN make",
        "FROM scratch AS other\nRUN x\nFROM scratch\nRUN make",
    ],
)
def test_what_does_not_change_the_key_of_a_run(text: str) -> None:
    assert definition(text) == definition(RUN)


@pytest.mark.parametrize(
    "text",
    [
        "FROM scratch\nRUN make all",
        'FROM scratch\nRUN ["make"]',
        "FROM scratch\nENV A=1\nRUN make",
        "FROM scratch\nENV HTTP_PROXY=http://p\nRUN make",
        "FROM scratch\nARG A=1\nRUN make",
        "FROM scratch\nARG http_proxy=http://p\nRUN make",
        "FROM scratch\nUSER 1\nRUN make",
        "FROM scratch\nWORKDIR /w\nRUN make",
        'FROM scratch\nSHELL ["/bin/bash", "-c"]\nRUN make',
        "FROM scratch\nRUN --network=none make",
        "FROM scratch\nRUN --mount=type=cache,target=/x make",
        "FROM scratch\nRUN make\nRUN make",
        "FROM scratch\nRUN x\nRUN make",
        "FROM scratch AS a\nRUN x\nFROM a\nRUN make",
    ],
)
def test_what_changes_the_key_of_a_run(text: str) -> None:
    assert definition(text) != definition(RUN)


def test_settings_and_the_key_of_a_run() -> None:
    text = "FROM scratch\nARG A\nRUN make"
    plain = definition(text)
    assert definition(text, build_args={"A": "1"}) != plain
    assert definition(text, build_args={"B": "1"}) == plain
    assert definition(text, build_args={"HTTP_PROXY": "http://p"}) == plain
    assert definition(text, proxies={"HTTP_PROXY": "http://p", "http_proxy": "http://p"}) == plain
    assert definition(text, epoch=1) == plain
    assert definition(text, no_cache=True, pull=True, stream_limits=Limits(max_bytes=1)) == plain
    assert definition(text, network="none") != plain
    assert definition(text, network="host") != definition(text, network="none")


MOUNTS = "FROM scratch AS from\nCOPY a /d/a\nFROM scratch\nRUN --mount={} make"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("target=/x", "target=/y"),
        ("target=/x", "target=/x,rw"),
        ("target=/x", "target=/x,source=b"),
        ("target=/x", "target=/x,from=from"),
        ("target=/x,from=from", "target=/x,from=from,source=d"),
        ("type=tmpfs,target=/x", "type=tmpfs,target=/x,size=1m"),
        ("type=tmpfs,target=/x", "type=cache,target=/x"),
        ("type=cache,target=/x", "type=cache,target=/x,id=i"),
        ("type=cache,target=/x", "type=cache,target=/x,from=from"),
        ("type=cache,target=/x", "type=cache,target=/x,uid=1"),
        ("type=cache,target=/x", "type=cache,target=/x,ro"),
        ("type=secret,id=a", "type=secret,id=b"),
        ("type=secret,id=a", "type=secret,id=a,env=A"),
        ("type=secret,id=a", "type=secret,id=a,mode=0444"),
        ("type=secret,id=a", "type=secret,id=a,target=/a"),
        ("type=ssh", "type=ssh,id=a"),
        ("type=ssh", "type=ssh,gid=3"),
    ],
)
def test_what_of_a_mount_changes_the_key(one: str, other: str) -> None:
    context = Tree(file("a", "1"), file("b", "2"))
    assert definition(MOUNTS.format(one), context) != definition(MOUNTS.format(other), context)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("target=/x,type=bind", "dst=/x"),
        ("target=/x,from=from", "target=/x,from=0"),
        ("target=x/", "target=/x"),
        ("type=tmpfs,target=/x,size=1m", "type=tmpfs,target=/x,size=1024k"),
        ("type=cache,target=/x", "type=cache,target=/x,sharing=locked"),
        ("type=cache,target=/x", "type=cache,target=/x,rw"),
        ("type=secret,id=a", "type=secret,src=a,required"),
        ("type=secret,id=a", "type=secret,target=/run/secrets/a"),
        ("type=ssh", "type=ssh,id=default,required=true"),
        ("type=ssh", "type=ssh,target=/run/buildkit/ssh_agent.0"),
    ],
)
def test_what_of_a_mount_does_not_change_the_key(one: str, other: str) -> None:
    context = Tree(file("a", "1"), file("b", "2"))
    assert definition(MOUNTS.format(one), context) == definition(MOUNTS.format(other), context)


def test_a_mount_is_keyed_by_what_it_shows_of_the_context_and_nothing_else() -> None:
    def key(*entries: tuple[Entry, bytes]) -> str:
        return definition("FROM scratch\nRUN --mount=source=sub,target=/x make", Tree(folder("sub"), *entries))

    plain = key(file("sub/a", "1"), file("b", "2"))
    assert key(file("sub/a", "1"), file("b", "3"), file("c", "4")) == plain
    assert key(file("sub/a", "2"), file("b", "2")) != plain
    assert key(file("sub/a", "1", mode=0o600), file("b", "2")) != plain


def test_values_of_secrets_and_agents_are_in_no_key() -> None:
    text = "FROM scratch\nRUN --mount=type=secret,id=a --mount=type=ssh make"
    plain = definition(text)
    assert definition(text, secrets=(Secret(id="a", file="/f"),), ssh=(SshAgent(id="default"),)) == plain
    assert definition(text, secrets=(Secret(id="a", env="V"),), ssh=(SshAgent(id="default", keys=("/k",)),)) == plain


def test_the_script_of_a_run_is_in_its_key() -> None:
    def key(body: str) -> str:
        return definition(f"FROM scratch\nRUN <<EOF\n{body}\nEOF\n")

    assert len({key("#!/bin/sh\na"), key("#!/bin/sh\nb"), key("a"), key("b")}) == 4
    insecure = definition("FROM scratch\nRUN --security=insecure make", allow=frozenset({"security.insecure"}))
    assert insecure != definition(RUN)


def test_a_build_argument_counts_from_its_arg_on() -> None:
    text = "FROM scratch\nRUN one\nARG A\nRUN two"

    def run_keys(value: str) -> list[object]:
        of, stage = inputs(text, Tree(), build_args={"A": value})
        return [of.content(stage, position) for position in (0, 2)]  # type: ignore[arg-type]

    first, second = run_keys("1"), run_keys("2")
    assert first[0] == second[0]
    assert first[1] != second[1]


COPY = "FROM scratch\nCOPY dir /target/"


def tree(*more: object, keeps_owners: bool = False, **changes: Any) -> Tree:
    """A directory of files; ``changes`` are about one of them."""
    given = file("dir/a", "text", **changes)
    return Tree(folder("dir"), given, file("dir/b", "b"), *more, keeps_owners=keeps_owners)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("context", "is_same"),
    [
        (tree(mtime=5), True),
        (tree(uid=1, gid=2), True),
        (tree(file("elsewhere", "x")), True),
        (Tree(folder("dir", mtime=9), file("dir/b", "b"), file("dir/a", "text"), origin="another name"), True),
        (tree(mode=0o600), False),
        (tree(xattrs=(("user.x", b"1"),)), False),
        (tree(file("dir/c")), False),
        (Tree(folder("dir"), file("dir/a", "texT"), file("dir/b", "b")), False),
        (Tree(folder("dir"), file("dir/A", "text"), file("dir/b", "b")), False),
        (Tree(folder("dir"), file("dir/a", "text"), link("dir/b", "b")), False),
        (Tree(folder("dir"), file("dir/a", "text"), hardlink("dir/b", "dir/a")), False),
        (Tree(folder("dir", mode=0o700), file("dir/a", "text"), file("dir/b", "b")), False),
    ],
)
def test_what_of_a_context_counts(context: Tree, is_same: bool) -> None:
    assert (definition(COPY, context) == definition(COPY, tree())) is is_same


def test_owners_count_where_a_copy_keeps_them() -> None:
    plain = definition(COPY, tree(keeps_owners=True))
    assert definition(COPY, tree(keeps_owners=True, uid=1)) != plain
    assert definition(COPY, tree(keeps_owners=True, mtime=1)) == plain


@pytest.mark.parametrize(
    ("text", "is_same"),
    [
        ("FROM scratch\ncopy   dir   /target/", True),
        ("FROM scratch\nLABEL a=b\nCOPY dir /target/", True),
        ('FROM scratch\nCOPY ["dir", "/target/"]', True),
        ("FROM scratch\nENV X=target\nCOPY dir /$X/", True),
        ("FROM scratch\nCOPY d*r /target/", True),
        ("FROM scratch\nCOPY --link dir /target/", True),
        ("FROM scratch\nCOPY dir /target", False),
        ("FROM scratch\nCOPY dir /other/", False),
        ("FROM scratch\nCOPY dir/a /target/", False),
        ("FROM scratch\nCOPY --chown=1 dir /target/", False),
        ("FROM scratch\nCOPY --chmod=700 dir /target/", False),
        ("FROM scratch\nCOPY --exclude=b dir /target/", False),
        ("FROM scratch\nADD dir /target/", False),
    ],
)
def test_what_of_a_copy_counts(text: str, is_same: bool) -> None:
    assert (definition(text, tree()) == definition(COPY, tree())) is is_same


def test_what_a_copy_excludes_does_not_count() -> None:
    text = "FROM scratch\nCOPY --exclude=*.log dir /target/"
    assert definition(text, tree(file("dir/x.log", "1"))) == definition(text, tree(file("dir/x.log", "2")))
    assert definition(text, tree(file("dir/x.txt", "1"))) != definition(text, tree(file("dir/x.txt", "2")))


def test_a_relative_destination_begins_at_the_working_directory() -> None:
    inside = "FROM scratch\nWORKDIR /w\nCOPY dir target/"
    absolute = "FROM scratch\nWORKDIR /w\nCOPY dir /w/target/"
    assert definition(inside, tree()) == definition(absolute, tree())


def test_a_stage_that_is_copied_from_counts_as_a_whole() -> None:
    text = "FROM scratch AS one\nRUN {}\nFROM scratch\nCOPY --from=one /x /x"
    assert definition(text.format("a")) != definition(text.format("b"))
    assert definition(text.format("a")) == definition(text.format("a").replace("one", "two"))
    assert definition(text.format("a")) == definition(text.format("a").replace("--from=one", "--from=0"))


def test_here_documents_count() -> None:
    text = "FROM scratch AS one\nFROM scratch\nCOPY {} <<END /x\n{}\nEND\n"
    for option in ("", "--from=one"):
        assert definition(text.format(option, "a")) != definition(text.format(option, "b"))


def test_a_base_image_counts_by_its_identity() -> None:
    from dockerception.oci.config import ContainerConfig
    from unit.engines.lab import base_image

    one, two = (base_image(ContainerConfig(), name=name) for name in ("one", "two"))
    text = "FROM {}\nRUN make"
    images = {"one": one, "two": two}

    def key(text: str, images: dict[str, Base]) -> str:
        of, stage = inputs(text, Tree(), images=images)
        return of.definition(stage)  # type: ignore[arg-type]

    assert key(text.format("one"), images) != key(text.format("two"), images)
    renamed = msgspec.structs.replace(one, name="three")
    assert key(text.format("three"), {"three": renamed}) == key(text.format("one"), images)


def test_directory_destinations() -> None:
    for destination, expected in (("/a/", True), ("/a/.", True), (".", True), ("..", True), ("/a", False)):
        found = evaluator(f"FROM scratch\nCOPY x {destination}").stage(0).steps[0].instruction
        assert isinstance(found, ins.Copy)
        assert keys.is_directory_destination(found) is expected
