"""The table of docs/engines.md says what ``Capabilities`` say."""

from __future__ import annotations

from pathlib import Path

import pytest

from dockerception.engines.base import Capabilities
from dockerception.engines.buildx import connect as buildx
from dockerception.engines.daemon import connect as daemon
from dockerception.engines.daemon.buildkit import Command
from dockerception.engines.embedded.engine import EmbeddedEngine
from dockerception.limits import OPTIONS

GUIDE = Path(__file__).parents[3] / "docs/engines.md"
NEW = (1, 45)
ENGINES = {
    "embedded": EmbeddedEngine.capabilities,
    "docker with BuildKit": daemon.capabilities("Docker", Command(words=("docker",), is_buildx=True), NEW),
    "docker, classic builder": daemon.capabilities("Docker", None, NEW),
    "podman": daemon.capabilities("Podman", None, NEW),
    "buildx": buildx.capabilities("any"),
}
ROWS = {
    "`--platform A,B`": "indexes",
    "`--no-cache-filter": "stage_filters",
    "SOURCE_DATE_EPOCH": "epoch",
    "`rewrite-timestamp": "rewrites",
    "`--cache-from`": "caches",
    "`--explain`": "explains",
    "`--secret`": "secrets",
    "`--ssh`": "ssh",
    "`--allow": "insecure",
}
LIMITS = {
    "`--memory`": ("--memory", "--cpus"),
    "`--shm-size`": ("--shm-size", "--ulimit"),
    "`--pids-limit`": ("--pids-limit", "--timeout"),
}
_NOT_IN_THE_TABLE = {"limits", "name", "roots"}  # both kinds of engines obey IN and PUBLISH; they differ in how


def _table() -> tuple[list[str], list[list[str]]]:
    text = GUIDE.read_text().partition("## What each can and can't do")[2].partition("\n## ")[0]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines() if line[:1] == "|"]
    return rows[0][1:], rows[2:]


def test_each_capability_is_a_row() -> None:
    assert set(ROWS.values()) | _NOT_IN_THE_TABLE == set(Capabilities.__struct_fields__)
    assert _table()[0] == list(ENGINES)


@pytest.mark.parametrize(("start", "options"), LIMITS.items())
def test_the_rows_of_limits_are_true(start: str, options: tuple[str, ...]) -> None:
    (row,) = [row for row in _table()[1] if row[0].startswith(start)]
    assert row[0] == ", ".join(f"`{option}`" for option in options)
    said = [set(options) if not cell.startswith("no:") else set() for cell in row[1:]]
    assert said == [set(options) & each.limits for each in ENGINES.values()]


def test_each_limit_is_in_a_row() -> None:
    assert sorted(option for options in LIMITS.values() for option in options) == sorted(OPTIONS)


@pytest.mark.parametrize("start", ROWS)
def test_the_row_is_true(start: str) -> None:
    (row,) = [row for row in _table()[1] if row[0].startswith(start)]
    said = [not cell.startswith("no:") for cell in row[1:]]
    assert said == [getattr(each, ROWS[start]) for each in ENGINES.values()]
