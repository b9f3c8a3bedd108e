"""The one way in which a file comes to be in the store: written beside, hashed, synced, renamed."""

from __future__ import annotations

import hashlib
import os
from contextlib import suppress
from types import TracebackType
from typing import Final

from ..reference import Digest
from .disk import discard, disk_errors
from .write_behind import WriteBehind, write_all

_JOIN_BYTES: Final = 1 << 20


class HashedFile:
    """A new file that is hashed while it is written; small pieces are joined, large files get a thread.

    Use it as a context manager: leaving it before ``commit`` has ended well removes the file.
    """

    def __init__(self, temporary: str) -> None:
        self._temporary = temporary
        self._hash = hashlib.sha256()
        self._is_synced = False
        self._is_placed = False
        self.size = 0
        self._joined = bytearray()
        self._behind: WriteBehind | None = None
        with disk_errors("making a file in the store"):
            self._file = open(temporary, "xb", buffering=0)  # noqa: SIM115

    def write(self, chunk: bytes | memoryview) -> None:
        """Append bytes.  Raises ``DiskFullError``, for these bytes or for earlier ones."""
        self._joined += chunk
        self.size += memoryview(chunk).nbytes
        if len(self._joined) >= _JOIN_BYTES:
            block, self._joined = self._joined, bytearray()
            with disk_errors("writing a file of the store", self._temporary):
                if self._behind is None:
                    self._behind = WriteBehind(self._file.fileno(), self._hash)
                self._behind.put(block)

    def _drain(self) -> None:
        """Have everything hashed and handed to the kernel."""
        with disk_errors("writing a file of the store", self._temporary):
            if self._behind is not None:
                self._behind.finish()
                self._behind = None
            if self._joined:
                block, self._joined = self._joined, bytearray()
                self._hash.update(block)
                write_all(self._file.fileno(), block)

    @property
    def digest(self) -> Digest:
        """The SHA-256 of what has been written so far.  Raises ``DiskFullError``, as ``write``."""
        self._drain()
        return Digest.sha256(self._hash.digest())

    def sync(self) -> None:
        """Have everything on the disk, and write no more.  Raises ``DiskFullError``."""
        self._drain()
        with disk_errors("completing a file of the store", self._temporary):
            os.fsync(self._file.fileno())
            self._file.close()
        self._is_synced = True

    def commit(self, path: str) -> None:
        """Sync the file, if that has not been done, and give it its final name; atomic.

        A file that has the name already stays and this one is thrown away, since equal names mean equal bytes; but one
        of another size is damaged and replaced.
        """
        if not self._is_synced:
            self.sync()
        with disk_errors("completing a file of the store", self._temporary):
            if has_size(path, self.size):
                os.unlink(self._temporary)
            else:
                os.rename(self._temporary, path)
        self._is_placed = True

    def __enter__(self) -> HashedFile:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._behind is not None:
            with suppress(OSError):  # an error here would hide why the block ended
                self._behind.finish()
        self._file.close()
        if not self._is_placed:
            discard(self._temporary)


def has_size(path: str, size: int) -> bool:
    """Whether there is a file of this many bytes."""
    try:
        return os.stat(path).st_size == size
    except FileNotFoundError:
        return False
