"""One layer from a transport into the store: written, hashed, decompressed and listed in one pass over its bytes."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from contextlib import ExitStack
from typing import Final

import msgspec

from ...errors import ImageError, StreamError
from ...oci.compression import MAGIC_SIZE, detect, reader
from ...oci.tarreader import TarReader
from ...oci.toc import Toc
from ...oci.whiteouts import read_layer
from ...parallel import ReadAhead
from ...store.durable import HashedFile
from ...store.layers import Layer
from ...store.store import Store
from ...transports.base import Read, SourceLayer

_CHUNK: Final = 1 << 20


def find_layer(store: Store, layer: SourceLayer) -> Layer | None:
    """The layer, if the store has it with bytes that can be sent on."""
    if not layer.diff_id:
        return None
    found = store.layers.find_by_diff_id(layer.diff_id)
    return found if found is not None and (found.has_blob or found.original is not None) else None


def import_layer(
    store: Store, layer: SourceLayer, read: Read, *, origin: str, advance: Callable[[int], None], is_threaded: bool
) -> Layer:
    """Bring a layer into the store.  ``origin`` begins messages: “Layer 2 of the image”.

    ``advance(n)`` is told how many more bytes have come.  ``is_threaded`` reads and decompresses in threads of their
    own.  Raises ``ImageError`` for a layer that is damaged, and what ``read`` raises.
    """
    with store.blobs.new() as raw, ExitStack() as stack:

        def ahead(inner: Read) -> Read:
            return stack.enter_context(ReadAhead(inner)).read if is_threaded else inner

        head = _peek(read)
        compression = detect(head)
        compressed = ahead(_Tee(_after(head, read), raw, advance).read)
        tar = _HashingRead(reader(compressed, compression, origin=origin))
        toc = _list(tar.read if compression == "none" else ahead(tar.read), compressed, origin)
        digest = str(store.blobs.keep(raw))
    if compression == "none":
        return store.layers.add_blob(diff_id=digest, toc=toc)
    if layer.blob is None:
        raise ImageError(f"{origin} is compressed, but nothing describes the compressed bytes.")
    original = msgspec.structs.replace(layer.blob, digest=digest, annotations=None, platform=None)
    return store.layers.add_blob(diff_id=tar.digest, toc=toc, original=original, has_blob=False)


def _list(tar: Read, compressed: Read, origin: str) -> Toc:
    try:
        toc = read_layer(TarReader(tar, origin=origin, may_lack_end=True), _hash_contents)
        while tar(_CHUNK) or compressed(_CHUNK):
            pass  # what follows the end of the archive belongs to the digests
    except StreamError as error:
        raise ImageError(
            error.message, hint="the image is damaged where it comes from: make or fetch it anew"
        ) from error
    return toc


def _hash_contents(tar: TarReader) -> bytes:
    digest = hashlib.sha256()
    for chunk in tar.contents():
        digest.update(chunk)
    return digest.digest()


def _peek(read: Read) -> bytes:
    """The first bytes, enough to recognise a compression."""
    head = b""
    while len(head) < MAGIC_SIZE and (chunk := read(_CHUNK)):
        head += chunk
    return head


def _after(head: bytes, read: Read) -> Read:
    """``read`` with ``head`` in front of it."""
    rest = head

    def read_again(size: int) -> bytes:
        nonlocal rest
        if not rest:
            return read(size)
        piece, rest = rest[:size], rest[size:]
        return piece

    return read_again


class _Tee:
    """A reader whose bytes are also written to a file, and counted."""

    def __init__(self, read: Read, file: HashedFile, advance: Callable[[int], None]) -> None:
        self._read = read
        self._file = file
        self._advance = advance

    def read(self, size: int) -> bytes:
        chunk = self._read(size)
        if chunk:
            self._file.write(chunk)
            self._advance(len(chunk))
        return chunk


class _HashingRead:
    """A reader that knows the digest of what has gone through it."""

    def __init__(self, read: Read) -> None:
        self._read = read
        self._hash = hashlib.sha256()

    def read(self, size: int) -> bytes:
        chunk = self._read(size)
        self._hash.update(chunk)
        return chunk

    @property
    def digest(self) -> str:
        return f"sha256:{self._hash.hexdigest()}"
