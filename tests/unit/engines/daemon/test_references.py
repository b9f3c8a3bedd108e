"""What a Dockerfile reads from outside, and the Dockerfile with other names for it."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from dockerception.dockerfile import stages
from dockerception.engines.base import Settings
from dockerception.engines.daemon.references import Outside, References, needs_buildkit
from dockerception.reference import Platform

DOCKERFILE = """\
# syntax=docker/dockerfile:1
ARG VERSION=1
ARG OTHER
FROM golang:${VERSION} AS build
RUN --mount=type=bind,from=tools,target=/t \\
    --mount=type=cache,target=/c \\
    make
FROM never AS unused
COPY --from=elsewhere /a /a
FROM busybox
ARG UNSEEN
COPY --from=build /out /
COPY --from=0 /other /
COPY --from=assets \\
     /logo \\
     /
"""


def references(
    text: str,
    target: str = "",
    *,
    named: tuple[str, ...] = (),
    args: Mapping[str, str] | None = None,
    every: bool = False,
) -> References:
    settings = Settings(platform=Platform.host(), epoch=0, build_args=args or {})
    return References(
        stages.load(text.encode()), settings, target, is_named=lambda name: name in named, builds_all=every
    )


def outside(found: References) -> list[tuple[str, bool]]:
    return [(each.name, each.is_base) for each in found.outside]


def test_only_what_is_needed_is_read() -> None:
    found = references(DOCKERFILE)
    assert outside(found) == [("golang:1", True), ("tools", False), ("busybox", True), ("assets", False)]
    assert outside(references(DOCKERFILE, "build")) == [("golang:1", True), ("tools", False)]


def test_a_builder_that_builds_all_reads_all_up_to_the_target() -> None:
    names = [name for name, _ in outside(references(DOCKERFILE, every=True))]
    assert names == ["golang:1", "tools", "never", "elsewhere", "busybox", "assets"]


def test_arguments_choose_bases() -> None:
    assert outside(references(DOCKERFILE, "build", args={"VERSION": "2"}))[0] == ("golang:2", True)


def test_a_named_context_is_stronger_than_a_stage() -> None:
    found = references("FROM a AS build\nFROM build\nCOPY --from=build x /\n", named=("build",))
    assert found.outside == (Outside(name="build", is_base=True),)


def test_scratch_is_nowhere_unless_it_is_named() -> None:
    assert references("FROM scratch\n").outside == ()
    assert outside(references("FROM scratch\n", named=("scratch",))) == [("scratch", True)]
    mount = "FROM scratch\nRUN --mount=from=scratch,target=/x true\n"
    assert references(mount).outside == ()


def test_names_are_replaced_where_they_stand() -> None:
    names = {"golang:1": "priv/go:1", "tools": "priv/tools:2", "assets": "priv/assets:3", "busybox": "priv/bb:4"}
    lines = references(DOCKERFILE).text(names).decode().split("\n")
    original = DOCKERFILE.split("\n")
    assert len(lines) - lines[-1:].count("") >= len(original) - 1
    assert lines[3] == "FROM priv/go:1 AS build"
    assert lines[4].startswith("RUN --mount=type=bind,from=priv/tools:2,target=/t --mount=type=cache,target=/c make")
    assert lines[5:7] == ["", ""]
    assert lines[9] == "FROM priv/bb:4"
    assert lines[11:13] == ["COPY --from=build /out /", "COPY --from=0 /other /"]
    assert lines[13] == "COPY --from=priv/assets:3 /logo /"
    for unchanged in (0, 1, 2, 7, 8, 10):
        assert lines[unchanged] == original[unchanged]


def test_without_names_the_text_is_the_same() -> None:
    assert references(DOCKERFILE).text({}).decode().rstrip("\n") == DOCKERFILE.rstrip("\n")


def test_what_is_written_reads_back_as_it_was() -> None:
    text = "FROM busybox\nRUN --mount=type=bind,from=x,target=/x <<END\necho 1\nEND\nCMD [\"a\"]\n"  # fmt: skip
    renamed = stages.load(references(text).text({"x": "y"}), name="renamed")
    run, command = renamed.stages[0].instructions
    assert (run.location.start, command.location.start) == (2, 5)
    assert stages.references(renamed.stages[0]) == ("y",)


def test_build_arguments_that_nobody_declares() -> None:
    found = references(
        DOCKERFILE, args={"VERSION": "2", "UNSEEN": "1", "NOBODY": "1", "HTTP_PROXY": "p", "no_proxy": "n"}
    )
    assert found.unused_build_args == {"NOBODY"}
    assert references(DOCKERFILE, "build", args={"UNSEEN": "1"}).unused_build_args == {"UNSEEN"}


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("RUN --mount=type=cache,target=/c true", "RUN --mount"),
        ("RUN --network=none true", "RUN --network"),
        ("RUN --security=insecure true", "RUN --security"),
        ("RUN --device=vendor.com/x=y true", "RUN --device"),
        ("COPY --link a /", "COPY --link"),
        ("ADD --chmod=755 a /", "ADD --chmod"),
        ("COPY <<END /a\nEND", "a here-document of COPY"),
        ("COPY --chown=1:1 a /", ""),
    ],
)
def test_what_the_classic_builder_does_not_know(line: str, found: str) -> None:
    assert needs_buildkit(stages.load(f"FROM a\n{line}\n".encode())) == found
