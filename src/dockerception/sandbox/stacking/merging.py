"""Copies the trees of layers over each other, which gives the files that an overlay of them would show."""

from __future__ import annotations

import os
import shutil
import stat
from typing import Final

from .. import marks
from ..attributes import copy_attributes
from ..copies import copy_entry

OPEN_DIRECTORY: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


def merge(tree: str, root: str) -> None:
    """Copy a layer's tree over what the layers below it left in the directory ``root``.

    Links of one file stay links of one file; nothing is shared with the tree, because a run may write into any file.
    """
    source, target = os.open(tree, OPEN_DIRECTORY), os.open(root, OPEN_DIRECTORY)
    try:
        _Merge(target).directory(source, target, "", is_new=not os.listdir(target))
    finally:
        os.close(source)
        os.close(target)


class _Merge:
    def __init__(self, root: int) -> None:
        self._root = root
        self._links: dict[tuple[int, int], str] = {}

    def directory(self, source: int, target: int, path: str, *, is_new: bool) -> None:
        """Copy what is in a directory, then its attributes.  ``is_new``: nothing is in the target yet."""
        with os.scandir(source) as found:
            entries = [(each.name, each.stat(follow_symlinks=False)) for each in found]
        kept = []
        for name, status in entries:
            hidden = marks.hidden_by(name, status, source)
            if hidden is None:
                kept.append((name, status))
            elif hidden and not is_new:
                remove(hidden, target)
        for name, status in kept:
            if stat.S_ISDIR(status.st_mode):
                self._subdirectory(source, target, name, f"{path}{name}/", is_new=is_new)
            else:
                self._other(source, target, name, f"{path}{name}", status, is_new=is_new)
        copy_attributes(source, target)

    def _subdirectory(self, source: int, target: int, name: str, path: str, *, is_new: bool) -> None:
        below = os.open(name, OPEN_DIRECTORY, dir_fd=source)
        is_new = is_new or not _is_directory(name, target) or marks.is_opaque(below)
        if is_new:
            remove(name, target)
            os.mkdir(name, 0o700, dir_fd=target)
        new = os.open(name, OPEN_DIRECTORY, dir_fd=target)
        try:
            self.directory(below, new, path, is_new=is_new)
        finally:
            os.close(below)
            os.close(new)

    def _other(self, source: int, target: int, name: str, path: str, status: os.stat_result, *, is_new: bool) -> None:
        if not is_new:
            remove(name, target)
        if status.st_nlink > 1:
            first = self._links.setdefault((status.st_dev, status.st_ino), path)
            if first is not path:
                os.link(first, name, src_dir_fd=self._root, dst_dir_fd=target, follow_symlinks=False)
                return
        copy_entry(name, status, source, target)


def remove(name: str, directory: int) -> None:
    """Remove a file or a whole tree from an open directory.  What is missing is no error."""
    try:
        os.unlink(name, dir_fd=directory)
    except FileNotFoundError:
        pass
    except OSError:
        # EISDIR, or EPERM as POSIX has it
        shutil.rmtree(name, dir_fd=directory)


def _is_directory(name: str, directory: int) -> bool:
    try:
        return stat.S_ISDIR(os.stat(name, dir_fd=directory, follow_symlinks=False).st_mode)
    except FileNotFoundError:
        return False
