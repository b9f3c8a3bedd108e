"""Stages: which instruction belongs to which, and finding one."""

from __future__ import annotations

import pytest

from dockerception.dockerfile.instructions import Build, Copy, In, Lines, Run
from dockerception.dockerfile.stages import excerpt_for, find_stage, load, references
from dockerception.errors import DockerfileError

SOURCE = b"""# escape=`
ARG GO=1.22
ARG TAG
FROM golang:$GO AS Build
ARG GO
RUN --mount=type=bind,from=assets,target=/a --mount=type=cache,target=/c make
FROM scratch
COPY --from=build /a /a
COPY --from=0 /b /b
COPY --from=busybox:1 /c /c
COPY --from=build /d /d
FROM build AS test
"""


def test_stages() -> None:
    dockerfile = load(SOURCE)
    assert dockerfile.directives.escape == "`"
    assert [arg.arguments[0].name for arg in dockerfile.global_args] == ["GO", "TAG"]
    assert [(stage.index, stage.name, stage.base.base, len(stage.instructions)) for stage in dockerfile.stages] == [
        (0, "build", "golang:$GO", 2),
        (1, "", "scratch", 4),
        (2, "test", "build", 0),
    ]
    assert isinstance(dockerfile.stages[0].instructions[1], Run)


def test_references() -> None:
    dockerfile = load(SOURCE)
    assert [references(stage) for stage in dockerfile.stages] == [("assets",), ("build", "0", "busybox:1"), ()]


def test_references_of_blocks_and_of_mounts_with_variables() -> None:
    source = b"FROM a\nIN /x {\nFROM b\nCOPY --from=c d e\n}\nRUN --mount=type=$t,from=f,target=/x g\n"
    (stage,) = load(source).stages
    assert isinstance(stage.instructions[0], In)
    assert references(stage) == ("c", "f")


@pytest.mark.parametrize(("target", "index"), [("build", 0), ("BUILD", 0), ("Test", 2), ("1", 1), ("2", 2)])
def test_find_stage(target: str, index: int) -> None:
    assert find_stage(load(SOURCE), target).index == index


@pytest.mark.parametrize(
    ("target", "hint"), [("biuld", "did you mean build?"), ("7", "counted from 0"), ("", "counted")]
)
def test_stage_that_is_not_there(target: str, hint: str) -> None:
    with pytest.raises(DockerfileError) as caught:
        find_stage(load(SOURCE), target)
    assert "its stages are build, 1, test" in caught.value.message
    assert hint in caught.value.hint


def test_build_ends_a_stage() -> None:
    dockerfile = load(b"FROM a\nBUILD /out\nARG x\nFROM scratch\nCOPY b /b\n")
    first, second = dockerfile.stages
    assert isinstance(first.instructions[0], Build)
    assert isinstance(second.instructions[0], Copy)


def test_excerpt_for() -> None:
    dockerfile = load(SOURCE, name="x/Dockerfile")
    assert excerpt_for(dockerfile, Lines(7, 7), context=0).split("\n")[:3] == [
        "x/Dockerfile:7",
        "--------------------",
        "   7 | >>> FROM scratch",
    ]
