"""Mount points that exist for one run only: made before it, gone after it, and the directories look untouched."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable

import msgspec

from ..oci import entry
from . import rootpath


class MountPoint(msgspec.Struct, frozen=True):
    """A file or directory made for a run, and its parent's mtime before and after (nanoseconds)."""

    path: str
    is_directory: bool
    before: int
    after: int


def make(root: int, path: str, *, is_directory: bool) -> list[MountPoint]:
    """Make a mount point and the directories above it where they are missing; ``path`` has been resolved."""
    made = []
    for above in entry.parents(path):
        made += _make_one(root, above, is_directory=True)
    return made + _make_one(root, path, is_directory=is_directory)


def remove(root: int, made: Iterable[MountPoint]) -> None:
    """Remove what ``make`` made, in any number of calls, if the run left it empty; times of parents are put back.

    A parent that the run itself has changed keeps the time of that change.
    """
    for point in reversed(list(made)):
        try:
            directory = rootpath.open_directory(root, entry.parent(point.path))
        except OSError:
            continue  # the run replaced it
        try:
            _remove_one(directory, entry.name(point.path), point)
        finally:
            os.close(directory)


def _make_one(root: int, path: str, *, is_directory: bool) -> list[MountPoint]:
    directory = rootpath.open_directory(root, entry.parent(path))
    name = entry.name(path)
    try:
        before = os.stat(directory).st_mtime_ns
        if is_directory:
            os.mkdir(name, 0o755, dir_fd=directory)
        else:
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
            os.close(os.open(name, flags, 0o644, dir_fd=directory))
        return [MountPoint(path, is_directory, before, os.stat(directory).st_mtime_ns)]
    except FileExistsError:
        return []
    finally:
        os.close(directory)


def _remove_one(directory: int, name: str, point: MountPoint) -> None:
    status = os.stat(directory)
    try:
        if point.is_directory:
            os.rmdir(name, dir_fd=directory)
        else:
            file = os.stat(name, dir_fd=directory, follow_symlinks=False)
            if not stat.S_ISREG(file.st_mode) or file.st_size:
                return
            os.unlink(name, dir_fd=directory)
    except OSError:
        return  # no longer empty, or no longer there: it is the run's now
    mtime = point.before if status.st_mtime_ns == point.after else status.st_mtime_ns
    os.utime(directory, ns=(status.st_atime_ns, mtime))
