"""A device that loses writes under a real file system: promised room that is not there, as of a worn or a thin disk.

The file system is on a loop device whose file lies on a tmpfs that is too small.  Writing succeeds, into memory; that
it came to nothing is told later, when something is synced, and only then.  So this sees that we ask before we believe.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from faults.program import Failure, Program
from support.bases import Base
from support.tools import give_up, need, need_root

pytestmark = pytest.mark.root

_REAL = 12  # mebibytes that the device has
_PROMISED = 48  # and that its file system believes in
_LARGE = 20 << 20


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """The file system."""
    need_root()
    if not Path("/dev/loop-control").exists():
        give_up("this machine has no loop devices")
    below, place = tmp_path / "below", tmp_path / "disk"
    below.mkdir()
    place.mkdir()
    _do("mount", "-t", "tmpfs", "-o", f"size={_REAL}m", "tmpfs", below)
    with (below / "device").open("wb") as device:
        device.truncate(_PROMISED << 20)
    _do("mkfs.ext4", "-q", "-O", "^has_journal", "-E", "nodiscard", below / "device")
    _do("mount", "-o", "loop", below / "device", place)
    yield place
    _do("umount", place)
    _do("umount", "--lazy", below)  # the kernel lets go of the device on its own time


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A context of more than the device has room for."""
    folder = tmp_path / "source"
    folder.mkdir()
    (folder / "large").write_bytes(os.urandom(_LARGE))
    return folder


_DOCKERFILES = {
    "a step": (
        "FROM busybox\nRUN head -c 20000000 /dev/urandom > /large\n",
        Failure(
            6, "disk-failed", r"The disk fails: while working on a step's files \(/.*, Input/output error", "dmesg"
        ),
    ),
    "a copied file": (
        "FROM scratch\nCOPY large /\n",
        Failure(6, "disk-full", r"The disk is full: while completing a file of the store \(/", "DOCKERCEPTION_HOME"),
    ),
}


@pytest.mark.parametrize("case", _DOCKERFILES)
def test_what_was_lost_is_not_believed(
    disk: Path, source: Path, tmp_path: Path, base: Callable[[str], Base], case: str
) -> None:
    text, failure = _DOCKERFILES[case]
    (source / "Dockerfile").write_text(text)
    program = Program(store=disk / "store")
    program.succeed("load", "-i", base("busybox").archive)
    failure.check(program.run("assemble", "--progress", "plain", "-t", "unwanted", source))
    assert set(program.names()) == {"busybox:latest"}
    program.succeed("doctor", "--store")
    program.has_no_leftovers()


def _do(program: str, *arguments: str | Path) -> None:
    subprocess.run([need(program), *arguments], check=True, stdout=subprocess.DEVNULL)
