"""A received tar stream as a context: its toc, and the spool file that holds the contents."""

from __future__ import annotations

import os
import threading
import weakref
from collections.abc import Iterator
from typing import Final

from ..errors import ContextError, StoreError
from ..oci import toc as tocs
from ..oci.entry import FILE, HARDLINK, Entry
from ..oci.toc import Toc

_CHUNK_SIZE: Final = 1 << 20


class TarContext:
    """The entries of ``toc``, whose offsets point into the file ``spool`` (see ``base.Context`` for the methods).

    The spool is opened at the first read and stays open as long as the context lives, so it may be unlinked meanwhile.
    May be used by several threads.
    """

    def __init__(self, toc: Toc, spool: str, *, origin: str, keeps_owners: bool = False) -> None:
        self._toc = toc
        self._spool = spool
        self._origin = origin
        self._keeps_owners = keeps_owners
        self._lock = threading.Lock()
        self._descriptor = -1

    @property
    def keeps_owners(self) -> bool:
        return self._keeps_owners

    @property
    def origin(self) -> str:
        return self._origin

    @property
    def toc(self) -> Toc:
        """The list of all entries."""
        return self._toc

    def find(self, path: str) -> Entry | None:
        return self._toc.find(path) or (tocs.directory("") if path == "" else None)

    def children(self, path: str) -> Iterator[Entry]:
        return self._toc.children(path)

    def walk(self, path: str) -> Iterator[Entry]:
        return self._toc.walk(path)

    def digest(self, entry: Entry) -> bytes:
        return self._file(entry).digest

    def read(self, entry: Entry) -> Iterator[bytes]:
        file = self._file(entry)
        position, end = file.offset, file.offset + file.size
        while position < end:
            chunk = os.pread(self._open(), min(end - position, _CHUNK_SIZE), position)
            if not chunk:
                raise StoreError(
                    f"The spool of {self._origin} ends at byte {position}, within the file {file.path}.",
                    hint="something else shortened a file of the store; build again",
                )
            position += len(chunk)
            yield chunk

    def _file(self, entry: Entry) -> Entry:
        target = self._toc.find(entry.link) if entry.kind == HARDLINK else entry
        if target is None or target.kind != FILE:
            raise ContextError(f"{entry.path} of {self._origin} is no regular file.")
        return target

    def _open(self) -> int:
        with self._lock:
            if self._descriptor < 0:
                try:
                    self._descriptor = os.open(self._spool, os.O_RDONLY | os.O_CLOEXEC)
                except OSError as error:
                    raise StoreError(f"The spool of {self._origin} can't be opened: {error.strerror}.") from error
                weakref.finalize(self, os.close, self._descriptor)
            return self._descriptor
