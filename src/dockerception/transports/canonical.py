"""Entries in canonical order (``oci.toc``): the order itself, and hard links that come before the file they name."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator

import msgspec

from ..oci.entry import FILE, HARDLINK, Entry
from .base import Read


def order_key(path: str) -> bytes:
    """What paths are compared by: depth first, ``a``, ``a/b``, ``a-b``."""
    return os.fsencode(path).replace(b"/", b"\0")


def settle_links(entries: Iterable[Entry], find: Callable[[str], Entry | None]) -> Iterator[Entry]:
    """The same files, such that the first of several links to one file is the file and the rest are links to it.

    In canonical order a hard link may stand before the file that it names, which no archive and no unpacking can do.
    """
    moved: dict[str, str] = {}
    for entry in entries:
        if entry.kind == FILE and entry.path in moved:
            yield msgspec.structs.replace(entry, kind=HARDLINK, size=0, link=moved[entry.path])
        elif entry.kind == HARDLINK and entry.link in moved:
            yield msgspec.structs.replace(entry, link=moved[entry.link])
        elif entry.kind == HARDLINK and order_key(entry.link) > order_key(entry.path):
            target = find(entry.link)
            moved[entry.link] = entry.path
            yield msgspec.structs.replace(target, path=entry.path) if target is not None else entry
        else:
            yield entry


def reader_of(chunks: Iterator[bytes | memoryview]) -> Read:
    """A ``read(n)`` of chunks that are made on demand."""
    rest = memoryview(b"")

    def read(length: int) -> bytes:
        nonlocal rest
        while not rest:
            chunk = next(chunks, None)
            if chunk is None:
                return b""
            rest = memoryview(chunk)
        piece = rest[:length]
        rest = rest[len(piece) :]
        return bytes(piece)

    return read
