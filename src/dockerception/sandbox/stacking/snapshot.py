"""What a tree looked like at a moment: enough to tell later what has been changed in it, without reading a file.

Whatever is done to a file (its bytes, owner, mode, attributes, links) gives it another change time, which no process
can set (inode(7)).  A directory that was removed and made again may have the number of the old one, but not its time
of birth (statx(2)).
"""

from __future__ import annotations

import os
import stat
import time
from typing import Final

import msgspec

from .. import linux
from .merging import OPEN_DIRECTORY

_TICK: Final = 0.001  # seconds; the clock of files moves in steps of 1 to 10 ms


class Folder(msgspec.Struct):
    """A directory: who it is, its change time (nanoseconds), and what was in it.

    A file is told by its inode number and change time.
    """

    identity: tuple[int, int]
    changed: int
    files: dict[str, tuple[int, int]]
    folders: dict[str, Folder]


def take(root: str) -> Folder:
    """The snapshot of a tree that nobody changes now.  When this returns, every later change has a later time."""
    directory = os.open(root, OPEN_DIRECTORY)
    try:
        folder = _look(directory)
        _let_time_pass(root)
    finally:
        os.close(directory)
    return folder


def identity(directory: int, status: os.stat_result) -> tuple[int, int]:
    """What tells an open directory from every other one that was or will be on this file system."""
    return status.st_ino, linux.birth_time(directory)


def _look(directory: int) -> Folder:
    status = os.fstat(directory)
    folder = Folder(identity(directory, status), status.st_ctime_ns, {}, {})
    with os.scandir(directory) as found:
        for each in found:
            seen = each.stat(follow_symlinks=False)
            if stat.S_ISDIR(seen.st_mode):
                below = os.open(each.name, OPEN_DIRECTORY, dir_fd=directory)
                try:
                    folder.folders[each.name] = _look(below)
                finally:
                    os.close(below)
            else:
                folder.files[each.name] = (seen.st_ino, seen.st_ctime_ns)
    return folder


def _let_time_pass(root: str) -> None:
    """Wait until the clock that files get their times from shows another time than it does now."""
    mark = f"{root}.clock"
    with open(mark, "wb"):
        pass
    now = os.stat(mark).st_ctime_ns
    while os.stat(mark).st_ctime_ns == now:
        time.sleep(_TICK)
        os.chmod(mark, 0o600)
    os.unlink(mark)
