"""A wall clock that is wrong, or is set while a build goes on: forwards and backwards, by hours and by decades.

So does a machine wake that has slept, or that comes up without a battery.  Nothing here waits by that clock.
"""

from __future__ import annotations

import calendar
import json
import os
import struct
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from faults.preload import compiled
from faults.program import Done, Program, pids, wait_until
from support.bases import Base

pytestmark = pytest.mark.root

_HOUR = 3600
_SLEEP = f"2.4{os.getpid()}"
_LONG = ("--emit-timeout=20m", "--timeout=20m")
_YEARS = (1901, 1965, 1970, 2039, 2100, 2261)
"""From the beginning of 32-bit time until the last whole year that fits into 64 bits of nanoseconds."""


class _Clock(msgspec.Struct, frozen=True):
    """A clock that a test sets: seconds are added to the machine's."""

    file: Path

    def move(self, seconds: int) -> None:
        self.file.write_bytes(struct.pack("l", seconds))

    @property
    def variables(self) -> dict[str, str]:
        return {"LD_PRELOAD": str(compiled("moved_clock")), "MOVED_CLOCK": str(self.file)}


@pytest.fixture
def clock(tmp_path: Path) -> _Clock:
    made = _Clock(tmp_path / "clock")
    made.move(0)
    return made


@pytest.fixture
def store(tmp_path: Path, base: Callable[[str], Base]) -> Program:
    """A store that nothing but the test has touched, with the base."""
    program = Program(store=tmp_path / "store")
    program.succeed("load", "-i", base("busybox").archive)
    return program


@pytest.mark.parametrize("year", _YEARS)
def test_a_build_in_another_time(
    store: Program, program: Program, project: Path, clock: _Clock, year: int, tmp_path: Path
) -> None:
    clock.move(calendar.timegm((year, 6, 1, 12, 0, 0)) - int(time.time()))
    fixed = _run(store, clock, "build", "-q", "--no-cache", "-t", "fixed", str(project))
    assert fixed.stdout == program.succeed("build", "-q", "--no-cache", str(project)).stdout
    _run(store, clock, "build", "-q", "-t", "free", "--no-cache", str(project), SOURCE_DATE_EPOCH="")
    [image] = json.loads(_run(store, clock, "inspect", "free").stdout)
    assert image["Created"].startswith(f"{year}-06-01T12:")
    for words in (("images",), ("history", "free"), ("prune", "--until", "24h", "--force"), ("doctor", "--store")):
        _run(store, clock, *words)
    _run(store, clock, "save", "-o", str(tmp_path / "saved.tar"), "free")
    assert set(store.names()) == {"busybox:latest", "fixed:latest", "free:latest"}
    store.has_no_leftovers()


@pytest.mark.parametrize("seconds", [8 * _HOUR, -8 * _HOUR, 80 * 8766 * _HOUR, -80 * 8766 * _HOUR])
@pytest.mark.parametrize("when", ["a step", "a builder"])
def test_it_is_set_in_the_middle_of_a_build(
    store: Program, project: Path, clock: _Clock, tmp_path: Path, seconds: int, when: str
) -> None:
    """No timeout goes by it, and nobody who cleans up takes the build for an old one."""
    step, builder = (f"sleep {_SLEEP}", "true") if when == "a step" else ("true", f"sleep {_SLEEP}")
    text = f'FROM busybox\nCOPY . /\nRUN {step}\nCMD ["sh", "-c", "{builder}; cat /streams/good"]\n'
    (tmp_path / "Dockerfile").write_text(text)
    command = ["build", "-q", "-f", str(tmp_path / "Dockerfile"), str(project)]
    process = subprocess.Popen(
        [store.command, *command, *_LONG],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**store.environment, **clock.variables},
    )
    wait_until(lambda: bool(pids(_SLEEP)) or process.poll() is not None, "the build never came so far")
    clock.move(seconds)
    _run(store, clock, "prune", "--all", "--force")
    _run(store, clock, "prune", "--keep-storage", "1", "--force")
    output, errors = process.communicate(timeout=60)
    assert process.returncode == 0, errors.decode()
    assert output == store.succeed(*command, "--no-cache").stdout
    _run(store, clock, "doctor", "--store")
    store.has_no_leftovers()


def test_a_use_in_the_future_is_put_right_by_the_next_one(store: Program, project: Path, clock: _Clock) -> None:
    """While a clock is ahead, nothing that is used looks old; afterwards it ages as everything does."""
    clock.move(80 * 8766 * _HOUR)
    _run(store, clock, "build", "-q", str(project))
    clock.move(0)
    assert _removed(_run(store, clock, "prune", "--all", "--until", "24h", "--force")) == 0
    _run(store, clock, "build", "-q", str(project))
    clock.move(48 * _HOUR)
    assert _removed(_run(store, clock, "prune", "--all", "--until", "24h", "--force")) > 0


def test_a_clock_that_is_behind_removes_nothing(store: Program, project: Path, clock: _Clock) -> None:
    """A machine that comes up in 1970 must not take everything for old."""
    _run(store, clock, "build", "-q", str(project))
    clock.move(-int(time.time()))
    assert _removed(_run(store, clock, "prune", "--all", "--until", "24h", "--force")) == 0


def _run(program: Program, clock: _Clock, *words: str, **variables: str) -> Done:
    done = program.run(*words, variables={**clock.variables, **variables})
    assert done.code == 0, f"{words}: exit {done.code}\n{done.errors}"
    return done


def _removed(pruned: Done) -> int:
    return int(pruned.stdout.split()[1])
