"""``dockerception levels``: what is told of the plan of a Dockerfile."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path

import pytest

from unit.cli.conftest import Run

FILE = """\
FROM golang AS build
COPY . /src
RUN --mount=type=bind,from=tools,target=/t make
BUILD /out
FROM busybox AS run
IN /x {
  FROM scratch
}
COPY --from=build /a /b
COPY --from=level:0 /c /d
COPY <<EOF /e
e
EOF
PUBLISH /x
BUILD -
"""


def shown(run: Run, folder: Path, text: str) -> list[str]:
    """What is told of a Dockerfile."""
    (folder / "Dockerfile").write_text(text)
    ran = run("levels", str(folder))
    assert ran.code == 0, ran.err
    return ran.out.splitlines()


def test_levels_stages_and_what_they_read(run: Run, tmp_path: Path) -> None:
    assert shown(run, tmp_path, FILE) == [
        "level 0",
        "  stage build: FROM golang",
        "    reads the context",
        "    reads tools (outside)",
        "  BUILD /out: the next Dockerfile is what follows",
        "level 1",
        "  stage in-1: FROM scratch",
        "  stage run-unpublished: FROM busybox",
        "    reads in-1 (stage)",
        "    reads build (stage of level 0)",
        "    reads level:0 (level)",
        "  stage run: FROM in-1 (stage)",
        "    reads run-unpublished (stage)",
        "  BUILD -: the next Dockerfile is Dockerfile in that context",
    ]


def test_names_mean_what_they_mean_in_a_build(run: Run, tmp_path: Path) -> None:
    """Own stages before those of earlier levels, later levels before earlier ones; a FROM takes a stage of an earlier
    level only where a COPY of its level does."""
    text = (
        "FROM a AS x\nFROM a AS y\nBUILD /o\n"
        "FROM b AS x\nFROM x\nBUILD /o\n"
        "FROM y AS one\nFROM x AS two\nFROM level:1\nCOPY --from=x /f /\nCOPY --from=0 /f /\nBUILD /o other\n"
    )
    assert shown(run, tmp_path, text)[4:] == [
        "level 1",
        "  stage x: FROM b",
        "  stage 1: FROM x (stage)",
        "  BUILD /o: the next Dockerfile is what follows",
        "level 2",
        "  stage one: FROM y",
        "  stage two: FROM x (stage of level 1)",
        "  stage 2: FROM level:1 (level)",
        "    reads x (stage of level 1)",
        "    reads one (stage)",
        "  BUILD /o other: the next Dockerfile is other in that context",
    ]


def test_what_an_add_fetches_is_not_of_the_context(run: Run, tmp_path: Path) -> None:
    text = "FROM scratch\nADD https://example.invalid/x /x\nBUILD /x\nFROM scratch\nADD git@example.invalid:y z /d/\n"
    assert [line for line in shown(run, tmp_path, text) if "reads" in line] == [
        "    reads https://example.invalid/x (outside)",
        "    reads the context",
        "    reads git@example.invalid:y (outside)",
    ]


def test_an_ordinary_file_is_said_to_end_with_a_build_that_nobody_wrote(run: Run, tmp_path: Path) -> None:
    assert shown(run, tmp_path, "FROM a\n") == [
        "level 0",
        "  stage 0: FROM a",
        "  BUILD -, which “build” appends: the next Dockerfile is Dockerfile in that context",
    ]


def test_the_platform_of_a_stage_is_shown(run: Run, tmp_path: Path) -> None:
    text = "FROM --platform=$BUILDPLATFORM a AS b\nFROM b\nBUILD /o\nFROM scratch\n"
    _, first, second, *_ = shown(run, tmp_path, text)
    assert [first, second] == ["  stage b: FROM --platform=$BUILDPLATFORM a", "  stage 1: FROM b (stage)"]
    ran = run("levels", "--format=json", str(tmp_path / "Dockerfile"))
    stages = json.loads(ran.out.splitlines()[0])["stages"]
    assert [stage.get("platform") for stage in stages] == ["$BUILDPLATFORM", None]


def test_json_is_one_object_a_level(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "Dockerfile.x"
    path.write_text("FROM scratch\nADD x /y\nBUILD /o D\n")
    ran = run("levels", "--format", "json", str(path))
    stage = {"name": "0", "base": None, "reads": [{"kind": "context", "name": "context"}]}
    assert [json.loads(line) for line in ran.out.splitlines()] == [
        {"level": 0, "stages": [stage], "emits": "BUILD /o D", "is_appended": False, "dockerfile": "D"}
    ]
    path.write_text("FROM a AS b\nBUILD -\nFROM level:0\nCOPY --from=b /x /\n")
    levels = [json.loads(line) for line in run("levels", "--format=json", str(path)).out.splitlines()]
    assert [level["dockerfile"] for level in levels] == ["follows", ""]
    assert levels[1]["stages"][0]["base"] == {"kind": "level", "name": "level:0", "level": 0}
    assert levels[1]["stages"][0]["reads"] == [{"kind": "stage", "name": "b", "level": 0}]


def test_a_file_on_stdin(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"FROM a\nBUILD -\n")))
    assert run("levels", "-").out.splitlines()[1:] == [
        "  stage 0: FROM a",
        "  BUILD -: the next Dockerfile is Dockerfile in that context",
    ]


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        (None, "can't be read: No such file", "a directory that has one, or - for stdin"),
        (b"FROM a\nBUILD /o D\nFROM b\n", ">>> BUILD /o D", "leave one of the two out"),
        (b"#" * (17 << 20), "is larger than 16 MiB", "large files belong into the context"),
        (b"", "the Dockerfile is empty", "begin it with FROM"),
    ],
)
def test_a_file_that_is_wrong_or_not_there(
    run: Run, tmp_path: Path, text: bytes | None, message: str, hint: str
) -> None:
    path = tmp_path / "Dockerfile"
    if text is not None:
        path.write_bytes(text)
    ran = run("levels", str(path))
    assert ran.code == 3
    assert ran.out == ""
    assert message in ran.err
    assert hint in ran.err
