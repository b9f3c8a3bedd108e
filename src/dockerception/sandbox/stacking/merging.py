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

    Every name gets a file of its own.  Nothing may be shared with the tree, because a run may write into any file; and
    an overlay parts the names of one file as soon as one of them is written to, so a step must not change the others.
    """
    source, target = os.open(tree, OPEN_DIRECTORY), os.open(root, OPEN_DIRECTORY)
    try:
        _directory(source, target, is_new=not os.listdir(target))
    finally:
        os.close(source)
        os.close(target)


def _directory(source: int, target: int, *, is_new: bool) -> None:
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
            _subdirectory(source, target, name, is_new=is_new)
        else:
            if not is_new:
                remove(name, target)
            copy_entry(name, status, source, target)
    copy_attributes(source, target)


def _subdirectory(source: int, target: int, name: str, *, is_new: bool) -> None:
    below = os.open(name, OPEN_DIRECTORY, dir_fd=source)
    is_new = is_new or not _is_directory(name, target) or marks.is_opaque(below)
    if is_new:
        remove(name, target)
        os.mkdir(name, 0o700, dir_fd=target)
    new = os.open(name, OPEN_DIRECTORY, dir_fd=target)
    try:
        _directory(below, new, is_new=is_new)
    finally:
        os.close(below)
        os.close(new)


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
