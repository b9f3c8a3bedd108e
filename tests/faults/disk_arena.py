"""Rounds on a disk that fails: a work is begun, one of its writes fails, and what is left is looked at.

First each work is done once, on a disk that only counts.  A round then takes a work, one kind of call, one instant of
it, and how it fails there.  Afterwards no process or mount may be left; the store must be whole; names must be as they
were; the command must have said what and where; and the same work, done again without faults, must give what it gives
in a store in which nothing has ever failed, and leave nothing unfinished behind.
"""

from __future__ import annotations

import errno
import random
import re
import shutil
import subprocess
from collections import Counter
from collections.abc import Sequence

import msgspec

from faults.disk_works import WORKS, Place, prepare, told
from faults.kills import stage_of
from faults.program import Done, wait_until
from faults.shim import KINDS, Fault, Seen, Shim

_HOWS = ("once", "once", "from", "dead", "dead", "short", "full")
_CAN_BE_SHORT = ("write", "pwrite", "pwritev")
# What a work can do without: its log, claims, notes to itself, what SQLite does with its own log, and removals, which
# the next command does.
_NEEDLESS = re.compile(
    r"/(logs|claims)\b|/machine\.json|/seccomp-|store\.db(-shm)?$|^(fsync|ftruncate) .*store\.db-wal$|^unlink\b"
)
_CODES = ("disk-failed", "disk-full", "store")


class Round(msgspec.Struct, frozen=True, kw_only=True):
    """What was done in a round, and what it came to."""

    seed: int
    work: str
    fault: Fault
    stage: str = ""
    code: int = 0
    seen: Seen = Seen()


class DiskArena:
    """A disk (a directory that is a file system of its own, with nothing else on it), and works to be done there.

    ``seed`` is a store with ``busybox``, an image ``kept`` and the cache of a build.
    """

    def __init__(self, shim: Shim, seed: Place) -> None:
        self._shim = shim
        self._seed = seed
        self._counts: dict[str, dict[str, int]] = {}
        self._results: dict[str, dict[str, str]] = {}

    def round(self, seed: int) -> Round:
        """One round.  Raises ``AssertionError`` that says what the round was and what is wrong afterwards."""
        chance = random.Random(seed)
        work = list(WORKS)[seed % len(WORKS)]
        self._learn(work)
        counts = self._counts[work]
        kind = chance.choice([kind for kind in KINDS if counts[kind]])
        how = chance.choice([how for how in _HOWS if how != "short" or kind in _CAN_BE_SHORT])
        fault = Fault(
            kind=kind,
            at=chance.randint(1, counts[kind]),
            how="from" if how == "full" else how,
            error=errno.ENOSPC if how == "full" else errno.EIO,
        )
        place = self._place(work)
        done = self._do(work, place, fault)
        round_ = Round(
            seed=seed,
            work=work,
            fault=fault,
            stage=stage_of(done.errors.encode()) if "build" in work else work,
            code=done.code,
            seen=self._shim.seen(),
        )
        try:
            self._check(round_, place, done)
        except AssertionError as error:
            raise AssertionError(f"{round_}\n{done.errors[-3000:]}") from error
        return round_

    def _learn(self, work: str) -> None:
        """Count the calls of a work, and see what it gives."""
        if work in self._results:
            return
        place = self._place(work)
        done = self._do(work, place, Fault())
        assert done.code == 0, f"{work}: {done.errors}"
        self._counts[work] = self._shim.seen().counts
        self._results[work] = place.results()

    def _place(self, work: str) -> Place:
        """A fresh copy of the seed on the disk, in the state that the work begins with."""
        folder = self._shim.disk
        for path in folder.iterdir():
            shutil.rmtree(path)
        place = msgspec.structs.replace(self._seed, store=folder / "store", outputs=folder / "outputs")
        subprocess.run(["cp", "-a", self._seed.store, place.store], check=True)
        place.outputs.mkdir()
        prepare(work, place)
        return place

    def _do(self, work: str, place: Place, fault: Fault) -> Done:
        return place.program.run(*place.words(WORKS[work]), variables=self._shim.environment(fault))

    def _check(self, done: Round, place: Place, said: Done) -> None:
        wait_until(lambda: not _alive(place), lambda: f"still there: {_alive(place)}")
        assert place.flaws() == []
        assert "Traceback" not in said.errors
        if done.code == 0:
            assert _may_be_ignored(done), "the failure was not noticed"
            assert place.results() == self._results[done.work], "another result"
        else:
            _check_words(done, said, place)
            self._check_names(done, place.names())
        self._check_again(done, place)

    def _check_names(self, done: Round, after: dict[str, str]) -> None:
        """A command that has failed has named nothing; ``rm`` may have come to its end before it."""
        before = self._seed.names()
        without = {name: image for name, image in before.items() if "kept" not in name}
        assert after in ([before, without] if done.work == "rm" else [before]), f"names: {after}"

    def _check_again(self, done: Round, place: Place) -> None:
        """Do the work once more on a sound disk, unless it is a removal that has been done."""
        shutil.rmtree(place.outputs)
        place.outputs.mkdir()
        if done.work != "rm" or place.names() == self._seed.names():
            place.program.succeed(*place.words(WORKS[done.work]))
        assert place.results() == self._results[done.work], "another result afterwards"
        place.program.has_no_leftovers()


def table(rounds: Sequence[Round]) -> str:
    """What the rounds came to: how often what failed, in which way, while what was going on."""
    kinds = ("once", "from then on", "dead from then on", "short writes", "no room")
    counts = Counter((each.stage, _kind(each.fault)) for each in rounds)
    stages = sorted({stage for stage, _ in counts})
    lines = [f"| what was going on | {' | '.join(kinds)} |", "| --- | --- | --- | --- | --- | --- |"]
    lines += [f"| {stage} | {' | '.join(str(counts[stage, kind]) for kind in kinds)} |" for stage in stages]
    return "\n".join(lines)


def _kind(fault: Fault) -> str:
    if fault.error == errno.ENOSPC:
        return "no room"
    return {"once": "once", "from": "from then on", "dead": "dead from then on", "short": "short writes"}[fault.how]


def _may_be_ignored(done: Round) -> bool:
    return not done.seen.failed or done.fault.how == "short" or bool(_NEEDLESS.search(done.seen.first))


def _check_words(done: Round, said: Done, place: Place) -> None:
    """The exit code of the store or the disk; an error that says where, and what to do."""
    error = told(said.errors)
    assert done.fault.how != "short", "a short write is no failure"
    assert done.code == 6, f"exit {done.code}"
    assert error["code"] in _CODES
    assert str(place.store.parent) in error["message"], "the message does not say where"
    assert error["hint"], "no hint"


def _alive(place: Place) -> list[str]:
    return [line for line in place.program.leftovers() if line.startswith(("process", "mount"))]
