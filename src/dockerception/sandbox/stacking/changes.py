"""Moves what has changed in a copied tree into an upper directory, where an overlay would have put it.

As there, a file that only lost or won a link is in it too, unchanged, and so is a directory in which something changed:
whoever makes a layer of the upper directory leaves out what equals the layers below.
"""

from __future__ import annotations

import os
import stat

from .. import marks
from ..attributes import give_attributes
from . import snapshot
from .merging import OPEN_DIRECTORY
from .snapshot import Folder


def move(before: Folder, root: str, upper: str) -> None:
    """Move the changes since ``before`` from the directory ``root`` to the empty directory ``upper``.

    ``root`` lacks them then.  Links between a file that was there and new names stay links.
    """
    source, target = os.open(root, OPEN_DIRECTORY), os.open(upper, OPEN_DIRECTORY)
    try:
        _directory(before, source, _Upper(None, "", target))
    finally:
        os.close(source)


class _Upper:
    """A directory of the upper one, made when there is something to put into it."""

    def __init__(self, above: _Upper | None, name: str, descriptor: int = -1) -> None:
        self._above = above
        self._name = name
        self._descriptor = descriptor

    def open(self) -> int:
        """Its descriptor; it is made, with all above it, where that has not been done."""
        if self._descriptor < 0 and self._above is not None:
            above = self._above.open()
            os.mkdir(self._name, 0o700, dir_fd=above)
            self._descriptor = os.open(self._name, OPEN_DIRECTORY, dir_fd=above)
        return self._descriptor

    def finish(self, source: int, status: os.stat_result) -> None:
        """Give it the attributes of ``source``, if it was made, and close it."""
        if self._descriptor >= 0:
            give_attributes(source, self._descriptor, status)
            os.close(self._descriptor)


def _directory(before: Folder, source: int, upper: _Upper) -> None:
    """Move what has changed in a directory that is the same one as before."""
    status = os.fstat(source)
    if status.st_ctime_ns != before.changed:
        upper.open()
    with os.scandir(source) as found:
        entries = [(each.name, each.stat(follow_symlinks=False)) for each in found]
    for name, seen in entries:
        if stat.S_ISDIR(seen.st_mode):
            _subdirectory(before, source, name, upper)
        elif before.files.get(name) != (seen.st_ino, seen.st_ctime_ns):
            os.rename(name, name, src_dir_fd=source, dst_dir_fd=upper.open())
    for name in (before.files.keys() | before.folders.keys()).difference(name for name, _ in entries):
        marks.hide(name, upper.open())
    upper.finish(source, status)


def _subdirectory(before: Folder, source: int, name: str, upper: _Upper) -> None:
    known = before.folders.get(name)
    descriptor = os.open(name, OPEN_DIRECTORY, dir_fd=source)
    try:
        if known is not None and known.identity == snapshot.identity(descriptor, os.fstat(descriptor)):
            _directory(known, descriptor, _Upper(upper, name))
            return
        if known is not None or name in before.files:
            _hide_all_below(descriptor)
        os.rename(name, name, src_dir_fd=source, dst_dir_fd=upper.open())
    finally:
        os.close(descriptor)


def _hide_all_below(directory: int) -> None:
    status = os.fstat(directory)
    marks.make_opaque(directory)
    os.utime(directory, ns=(status.st_atime_ns, status.st_mtime_ns))  # a mark may be a file in it
