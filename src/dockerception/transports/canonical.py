"""Entries in canonical order (``oci.toc``): the order itself, and hard links that come before the file they name."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator

import msgspec

from ..oci.entry import FILE, HARDLINK, Entry

Contents = Callable[[Entry], Iterable[bytes | memoryview]]


def order_key(path: str) -> bytes:
    """What paths are compared by: depth first, ``a``, ``a/b``, ``a-b``."""
    return os.fsencode(path).replace(b"/", b"\0")


class LinkOrder:
    """The same files, such that the first of several links to one file is the file and the rest are links to it.

    In canonical order a hard link may stand before the file that it names, which no archive and no unpacking can do.
    ``find`` and ``read`` are those of the tree.
    """

    def __init__(self, find: Callable[[str], Entry | None], read: Contents) -> None:
        self._find = find
        self._read = read
        self._moved: dict[str, str] = {}
        self._sources: dict[str, Entry] = {}

    def entries(self, entries: Iterable[Entry]) -> Iterator[Entry]:
        """``entries``, which come in canonical order, with the links turned round where that is needed."""
        moved = self._moved
        for entry in entries:
            if entry.kind == FILE and entry.path in moved:
                yield msgspec.structs.replace(entry, kind=HARDLINK, size=0, link=moved[entry.path])
            elif entry.kind == HARDLINK and entry.link in moved:
                yield msgspec.structs.replace(entry, link=moved[entry.link])
            elif entry.kind == HARDLINK and order_key(entry.link) > order_key(entry.path):
                yield self._file_for(entry)
            else:
                yield entry

    def contents(self, entry: Entry) -> Iterable[bytes | memoryview]:
        """The bytes of a file that ``entries`` yielded."""
        return self._read(self.source(entry))

    def source(self, entry: Entry) -> Entry:
        """The entry of the tree that has the bytes of one that ``entries`` yielded."""
        return self._sources.get(entry.path, entry)

    def _file_for(self, entry: Entry) -> Entry:
        source = self._find(entry.link)
        if source is None:
            return entry
        self._moved[entry.link] = entry.path
        self._sources[entry.path] = source
        return msgspec.structs.replace(source, path=entry.path)
