"""Archives that ADD unpacks: recognised by what is in them, as tar streams of any compression."""

from __future__ import annotations

import os
from collections.abc import Iterable

from ...context.base import Context
from ...context.tar_context import TarContext
from ...context.tarstream import receive
from ...oci import compression, tarheader
from ...oci.entry import Entry
from ...store.durable import disk_errors
from ...store.store import Store

_BLOCK = 512


class Archives:
    """Opens archives of one step; their contents are spooled in the store's scratch directory."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def unpack(self, context: Context, entry: Entry) -> Context | None:
        """The files in an archive, owners kept; None if the file is no tar archive.

        Raises ``StreamError`` for an archive that begins well and is damaged later.
        """
        if not self._is_archive(context, entry):
            return None
        origin = f"The archive “{entry.path}”"
        spool = self._store.temporary(".add")
        with disk_errors("unpacking an archive"):
            descriptor = os.open(spool, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            received = receive(_reader(context.read(entry)), spool=descriptor, origin=origin, source="archive")
        finally:
            os.close(descriptor)
        return TarContext(received.toc, spool, origin=origin, keeps_owners=True)

    def _is_archive(self, context: Context, entry: Entry) -> bool:
        read = _reader(context.read(entry))
        head = b""
        while len(head) < _BLOCK and (chunk := read(_BLOCK - len(head))):
            head += chunk
        kind = compression.detect(head)
        if kind == "none":
            return len(head) == _BLOCK and tarheader.has_valid_checksum(head) and any(head)
        read = compression.reader(_reader(context.read(entry)), kind, origin="")
        block = b""
        try:
            while len(block) < _BLOCK and (chunk := read(_BLOCK - len(block))):
                block += chunk
        except Exception:  # noqa: BLE001 - whatever does not decompress is copied as it is
            return False
        return len(block) == _BLOCK and tarheader.has_valid_checksum(block) and any(block)


def _reader(chunks: Iterable[bytes | memoryview]) -> compression.Read:
    """``read(n)`` over chunks."""
    iterator = iter(chunks)
    rest = memoryview(b"")

    def read(size: int) -> bytes:
        nonlocal rest
        while not rest:
            chunk = next(iterator, None)
            if chunk is None:
                return b""
            rest = memoryview(chunk)
        piece = bytes(rest[:size])
        rest = rest[len(piece) :]
        return piece

    return read
