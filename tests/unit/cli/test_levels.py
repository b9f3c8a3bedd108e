"""``dockerception levels``: what is told of the plan of a Dockerfile."""

from __future__ import annotations

import json
from pathlib import Path

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
BUILD -
"""


def test_levels_stages_and_what_they_read(run: Run, tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_text(FILE)
    ran = run("levels", str(tmp_path))
    assert ran.code == 0
    assert ran.out.splitlines() == [
        "level 0",
        "  stage build: FROM golang",
        "    reads context",
        "    reads tools (outside)",
        "  BUILD /out: the next Dockerfile is what follows",
        "level 1",
        "  stage in-1: FROM scratch",
        "  stage run: FROM busybox",
        "    reads in-1 (stage)",
        "    reads build (stage)",
        "    reads level:0 (level)",
        "  BUILD -: the next Dockerfile is Dockerfile in that context",
    ]


def test_json_and_an_ordinary_file(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "Dockerfile.x"
    path.write_text("FROM a\nADD x /y\n")
    ran = run("levels", "--format", "json", str(path))
    assert [json.loads(line) for line in ran.out.splitlines()] == [
        {
            "level": 0,
            "stages": [{"name": "0", "base": "a", "reads": [["context", "context"]]}],
            "emits": "BUILD -",
            "dockerfile": "Dockerfile",
        }
    ]


def test_a_file_that_is_wrong_or_not_there(run: Run, tmp_path: Path) -> None:
    assert run("levels", str(tmp_path / "none")).code == 3
    path = tmp_path / "Dockerfile"
    path.write_text("FROM a\nBUILD /o D\nFROM b\n")
    ran = run("levels", str(path))
    assert ran.code == 3
    assert ">>> BUILD /o D" in ran.err
