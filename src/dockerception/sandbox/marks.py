"""How a tree says that something of the layers below is not there: in overlay's own way where the disk allows it.

A store on an overlay (inside a container) can hold neither a device 0:0 nor always ``user.overlay.*`` attributes.
There the marks are symbolic links with the names that layer tars use and a target that nothing else has; such a store
can't be mounted as an overlay either, so only this program has to understand them.
"""

from __future__ import annotations

import os
import stat
from typing import Final

from ..oci.tarwriter import OPAQUE_NAME, WHITEOUT_PREFIX

OPAQUE: Final = "user.overlay.opaque"
OVERLAY_PREFIXES: Final = ("user.overlay.", "trusted.overlay.")

_TARGET: Final = "/dockerception/hides-what-is-below"


def is_whiteout(status: os.stat_result) -> bool:
    """Whether this is overlay's mark of a removed entry: a character device 0:0."""
    return stat.S_ISCHR(status.st_mode) and status.st_rdev == 0


def hidden_by(name: str, status: os.stat_result, directory: int | None = None) -> str | None:
    """The name that an entry of a directory (default: the current one) hides; ``""`` where it hides all of them.

    None for an entry that is no mark.
    """
    if is_whiteout(status):
        return name
    if not (name.startswith(WHITEOUT_PREFIX) and stat.S_ISLNK(status.st_mode)):
        return None
    if os.readlink(name, dir_fd=directory) != _TARGET:
        return None
    return "" if name == OPAQUE_NAME else name[len(WHITEOUT_PREFIX) :]


def hide(path: str, directory: int | None = None) -> None:
    """Leave a mark that hides what the layers below have at ``path``.  Raises ``FileExistsError``."""
    try:
        os.mknod(path, stat.S_IFCHR, dir_fd=directory)
    except PermissionError:
        above, slash, name = path.rpartition("/")
        os.symlink(_TARGET, f"{above}{slash}{WHITEOUT_PREFIX}{name}", dir_fd=directory)


def make_opaque(directory: int) -> None:
    """Leave a mark in an open directory that hides all that the layers below have in it."""
    try:
        os.setxattr(directory, OPAQUE, b"y")
    except OSError:
        try:
            os.symlink(_TARGET, OPAQUE_NAME, dir_fd=directory)
        except FileExistsError:
            pass


def is_opaque(directory: int) -> bool:
    """Whether an open directory hides what the layers below have in it.

    Value ``x`` of overlay's mark is not that, but says that there may be whiteouts written as attributes.
    """
    try:
        if os.getxattr(directory, OPAQUE) == b"y":
            return True
    except OSError:
        pass
    return is_mark(OPAQUE_NAME, directory)


def is_mark(path: str, directory: int | None = None) -> bool:
    """Whether ``path`` is a mark that is a symbolic link."""
    try:
        return os.readlink(path, dir_fd=directory) == _TARGET
    except OSError:
        return False


def is_hidden(directory: int, name: str) -> bool:
    """Whether an open directory has a symbolic link that hides what the layers below have at ``name`` in it."""
    return is_mark(f"{WHITEOUT_PREFIX}{name}", directory)
