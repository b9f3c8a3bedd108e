"""The one place where a disk that is full, or that fails, gets its name, and the user the advice that fits.

It imports next to nothing, for the sandbox's helper starts with it.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Final

from ..errors import BROKEN_DISK, FREE_SPACE, DiskFailedError, DiskFullError, StoreError

_FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT})
# Not all systems have all of them.
_FAILED: Final = frozenset(
    getattr(errno, name, errno.EIO) for name in ("EIO", "ENXIO", "ENODEV", "ESTALE", "EUCLEAN", "EBADMSG", "EREMOTEIO")
)


@contextmanager
def disk_errors(doing: str, where: str | int = "") -> Iterator[None]:
    """Turn an ``OSError`` into the store's error for it, which says “while {doing}”, and where.

    ``where`` is a path or a descriptor, for calls whose errors do not know it.
    """
    try:
        yield
    except OSError as error:
        raise disk_error(error, doing, where) from error


def disk_error(error: OSError, doing: str, where: str | int = "") -> StoreError:
    """The store's error for an ``OSError``: ``DiskFullError``, ``DiskFailedError``, or a plain ``StoreError``."""
    place = _place(error, where)
    if error.errno in _FULL:
        return DiskFullError(f"The disk is full: while {doing}{place}, {error.strerror}.", hint=FREE_SPACE)
    if error.errno in _FAILED:
        return DiskFailedError(f"The disk fails: while {doing}{place}, {error.strerror}.", hint=BROKEN_DISK)
    return StoreError(
        f"While {doing}{place}: {error.strerror or error}.",
        hint="check the directory that DOCKERCEPTION_HOME names, or ~/.local/share/dockerception",
    )


def output_error(path: str, error: OSError) -> StoreError | None:
    """The error for an output of the user's that its disk does not take; None where the disk is not to blame."""
    if error.errno in _FULL:
        return DiskFullError(f"{path} can't be written: the disk is full.", hint="free some space there")
    if error.errno in _FAILED:
        return DiskFailedError(f"{path} can't be written: {error.strerror}.", hint=BROKEN_DISK)
    return None


def discard(path: str) -> None:
    """Remove an unfinished file of the store, if it is still there.

    Raises nothing: the file lies in a temporary directory, which goes as a whole, and an error here would hide the one
    that led here.
    """
    with suppress(OSError):
        os.unlink(path)


def _place(error: OSError, where: str | int) -> str:
    """The path of an error in brackets; one that is relative, as where a root is changed, after what it is below."""
    path = os.fsdecode(error.filename) if isinstance(error.filename, str | bytes) else ""
    if not os.path.isabs(path):
        above = _path_of(where) if isinstance(where, int) else where
        path = f"{above}: {path}" if above and path else above or path
    return f" ({path})" if path else ""


def _path_of(descriptor: int) -> str:
    """The path of an open file, where the system tells it."""
    try:
        return os.readlink(f"/proc/self/fd/{descriptor}").removesuffix(" (deleted)")
    except OSError:
        return ""
