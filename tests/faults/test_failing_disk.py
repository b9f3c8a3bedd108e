"""A disk that fails writes; ``make faults`` does hundreds of rounds, this a few (see ``disk_arena``).

``DISK_ROUNDS`` says how many; with ``DISK_REPORT`` the table of what was done goes into that file.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from faults import reports
from faults.disk_arena import DiskArena, Round, table
from faults.disk_works import WORKS, Place
from faults.kills import write_source
from faults.program import Program
from faults.shim import Shim
from support.bases import Base
from support.registry import running_registry
from support.tools import need, need_root

pytestmark = pytest.mark.root
_ROUNDS = int(os.environ.get("DISK_ROUNDS", "12"))
_FIRST = int(os.environ.get("DISK_SEED", "1"))


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of its own."""
    need_root()
    place = tmp_path / "disk"
    place.mkdir()
    subprocess.run([need("mount"), "-t", "tmpfs", "-o", "size=200m", "tmpfs", place], check=True)
    yield place
    subprocess.run([need("umount"), place], check=True)


@pytest.fixture
def seed(tmp_path: Path, base: Callable[[str], Base]) -> Iterator[Place]:
    """A store in which every work finds something to work on, not on the disk that fails."""
    need("crun")
    source = tmp_path / "source"
    write_source(source)
    (source / "run").write_text("FROM busybox\nCOPY large /\nCOPY many /many\n")
    program = Program(store=tmp_path / "seed")
    program.succeed("load", "-i", base("busybox").archive)
    program.succeed("build", "-q", "-t", "kept", source)
    archive = tmp_path / "archive.tar"
    with running_registry(tmp_path / "registry") as address:
        pulled = f"{address}/made:1"
        program.succeed("assemble", "-q", "-t", pulled, "-t", "made:loaded", "-f", source / "run", source)
        program.succeed("push", pulled)
        program.succeed("save", "-o", archive, "made:loaded")
        program.succeed("rm", pulled, "made:loaded")
        program.succeed("prune", "--force")
        yield Place(store=program.store, outputs=tmp_path / "nowhere", source=source, archive=archive, pulled=pulled)


def test_a_disk_that_fails(tmp_path: Path, disk: Path, seed: Place) -> None:
    arena = DiskArena(Shim(disk=disk, state=tmp_path / "state"), seed)
    rounds = [arena.round(number) for number in range(_FIRST, _FIRST + _ROUNDS)]
    assert sum(each.code != 0 for each in rounds) * 2 > len(rounds), "most rounds did not fail"
    assert {each.work for each in rounds} == set(WORKS)
    if report := os.environ.get("DISK_REPORT", ""):
        reports.put(Path(report), "failing disk", f"{table(rounds)}\n\n{_told(rounds)}")


def _told(rounds: list[Round]) -> str:
    failed = sum(each.code != 0 for each in rounds)
    return (
        f"{len(rounds)} rounds: {failed} commands failed with exit code 6, {len(rounds) - failed} came to their end"
        " all the same (a log that was not written, a write that was only cut short)."
    )
