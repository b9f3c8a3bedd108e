"""Kills at random instants; ``make faults`` does hundreds of rounds, this a few (see ``kills``).

``KILL_ROUNDS`` says how many; with ``KILL_REPORT`` the table of what was done goes into that file, where it has its
place between two marks.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from faults.kills import Arena, Round, table
from support.bases import Base
from support.tools import need, need_root

pytestmark = pytest.mark.root
_ROUNDS = int(os.environ.get("KILL_ROUNDS", "20"))
_FIRST = int(os.environ.get("KILL_SEED", "1"))


def test_nothing_is_left_and_nothing_is_lost(tmp_path: Path, base: Callable[[str], Base]) -> None:
    need_root()
    need("crun")
    arena = Arena(tmp_path, Path(base("busybox").archive))
    rounds = [arena.round(seed) for seed in range(_FIRST, _FIRST + _ROUNDS)]
    assert {each.victim for each in rounds} >= {"command", "helper"}
    assert len({each.stage for each in rounds}) > 2, "the instants are not spread over the build"
    if report := os.environ.get("KILL_REPORT", ""):
        _write(Path(report), rounds)


def _write(report: Path, rounds: Sequence[Round]) -> None:
    slowest = max(each.gone_after for each in rounds)
    told = f"{len(rounds)} rounds; the last process was gone {slowest:.2f} s after the kill, at the latest."
    before, mark, rest = report.read_text().partition("<!-- kills -->\n")
    _, end, after = rest.partition("<!-- end of kills -->")
    assert end, f"{report} has no place for the table"
    report.write_text(f"{before}{mark}\n{table(rounds)}\n\n{told}\n\n{end}{after}")
