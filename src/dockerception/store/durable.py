"""The one way in which a file comes to be in the store: written beside, hashed, synced, renamed.

Also the one place where a full disk gets its name.
"""

from __future__ import annotations

import errno
import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Any

from ..errors import DiskFullError, StoreError
from ..reference import Digest

_FULL = {errno.ENOSPC, errno.EDQUOT}


@contextmanager
def disk_errors(doing: str) -> Iterator[None]:
    """Turn an ``OSError`` into a ``DiskFullError`` or ``StoreError`` whose message begins “While {doing}”."""
    try:
        yield
    except OSError as error:
        raise disk_error(error, doing) from error


def disk_error(error: OSError, doing: str) -> StoreError:
    """The store's error for an ``OSError``."""
    where = f" ({os.fsdecode(error.filename)})" if error.filename else ""
    if error.errno in _FULL:
        return DiskFullError(
            f"The disk is full: while {doing}{where}, {error.strerror}.",
            hint="free space with “dockerception prune”, or set DOCKERCEPTION_HOME to a directory on another disk",
        )
    return StoreError(
        f"While {doing}{where}: {error.strerror or error}.",
        hint="check the directory that DOCKERCEPTION_HOME names, or ~/.local/share/dockerception",
    )


class HashedFile:
    """A new file that is hashed while it is written.

    Use it as a context manager: leaving it by an exception removes the file.  ``commit`` syncs it and moves it to its
    final place; an existing file there is left as it is and this one thrown away, since equal names mean equal bytes.
    """

    def __init__(self, temporary: str) -> None:
        self._temporary = temporary
        self._hash = hashlib.sha256()
        self.size = 0
        with disk_errors("making a file in the store"):
            self._file: Any = open(temporary, "xb", buffering=0)  # noqa: SIM115

    def write(self, chunk: bytes | memoryview) -> None:
        """Append bytes.  Raises ``DiskFullError``."""
        self._hash.update(chunk)
        self.size += len(chunk)
        with disk_errors("writing a file of the store"):
            rest = memoryview(chunk)
            while rest:
                rest = rest[self._file.write(rest) :]

    @property
    def digest(self) -> Digest:
        """The SHA-256 of what has been written so far."""
        return Digest.sha256(self._hash.digest())

    def commit(self, path: str) -> None:
        """Sync the file and give it its final name; atomic, and a no-op where the name is taken."""
        with disk_errors("completing a file of the store"):
            os.fsync(self._file.fileno())
            self._file.close()
            if os.path.exists(path):
                os.unlink(self._temporary)
            else:
                os.rename(self._temporary, path)

    def __enter__(self) -> HashedFile:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if not self._file.closed:
            self._file.close()
            with disk_errors("removing a temporary file"):
                os.unlink(self._temporary)
