"""Kills at random instants; ``make faults`` does hundreds of rounds, this a few (see ``kills``).

``KILL_ROUNDS`` says how many; with ``KILL_REPORT`` the table of what was done goes into that file, where it has its
place between two marks.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from faults import reports
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
        reports.put(Path(report), "kills", f"{table(rounds)}\n\n{_told(rounds)}")


def _told(rounds: Sequence[Round]) -> str:
    slowest = max(each.gone_after for each in rounds)
    return f"{len(rounds)} rounds; the last process was gone {slowest:.2f} s after the kill, at the latest."
