"""Archives that ADD unpacks: recognised by what is in them, as tar streams of any compression."""

from __future__ import annotations

import os

from ..errors import StreamError
from ..oci import compression, tarheader
from ..oci.chunks import Read, reader_of
from ..oci.entry import Entry
from ..oci.tarwriter import BLOCK_SIZE
from ..store.disk import disk_errors
from ..store.store import Store
from .base import Context
from .tar_context import TarContext
from .tarstream import receive


class Archives:
    """Opens archives of one step; their contents are spooled in the store's scratch directory."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def unpack(self, context: Context, entry: Entry) -> Context | None:
        """The files in an archive, owners kept; None if the file is no tar archive.

        Raises ``StreamError`` for an archive that begins well and is damaged later.
        """
        if not is_archive(context, entry):
            return None
        origin = f"The archive “{entry.path}”"
        spool = self._store.temporary(".add")
        with disk_errors("unpacking an archive"):
            descriptor = os.open(spool, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            read = reader_of(context.read(entry))
            received = receive(read, spool=descriptor, origin=origin, source="archive", has_only_listed=True)
        finally:
            os.close(descriptor)
        return TarContext(received.toc, spool, origin=origin, keeps_owners=True)


def is_archive(context: Context, entry: Entry) -> bool:
    """Whether a file begins as a tar archive does, compressed or not."""
    head = _first_block(reader_of(context.read(entry)))
    kind = compression.detect(head)
    if kind != "none":
        try:
            head = _first_block(compression.reader(reader_of(context.read(entry)), kind, origin=entry.path))
        except StreamError:
            return False  # what does not decompress is copied as it is
    return len(head) == BLOCK_SIZE and any(head) and tarheader.has_valid_checksum(head)


def _first_block(read: Read) -> bytes:
    block = b""
    while len(block) < BLOCK_SIZE and (chunk := read(BLOCK_SIZE - len(block))):
        block += chunk
    return block
