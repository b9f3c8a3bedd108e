"""Images from a transport into the store: every byte hashed on its way, nothing unpacked that nothing needs yet."""

from __future__ import annotations

import hashlib
from collections.abc import Callable

import msgspec

from ...errors import ImageError, StreamError
from ...oci import config as oci_config
from ...oci.compression import MAGIC_SIZE, detect, reader
from ...oci.config import RootFS
from ...oci.tarreader import TarReader
from ...oci.whiteouts import read_layer
from ...progress import Reporter, StepProgress
from ...reference import Reference
from ...store.durable import HashedFile
from ...store.images import StoredImage
from ...store.layers import Layer
from ...store.store import Store
from ...transports.base import Read, SourceImage, SourceLayer

_CHUNK = 1 << 20


def import_image(
    store: Store, source: SourceImage, *, names: tuple[Reference, ...] = (), report: Reporter, step: int = 0
) -> StoredImage:
    """Bring an image into the store and give it these names.  Layers that are here already are not read again.

    Raises ``ImageError`` where layers and config do not fit each other, and what the transport raises.
    """
    config = oci_config.decode(source.config_bytes)
    expected = config.rootfs.diff_ids
    if expected and len(expected) != len(source.layers):
        raise ImageError(f"The image has {len(source.layers)} layers, but its config names {len(expected)}.")
    layers = [_import_layer(store, source, index, layer, report, step) for index, layer in enumerate(source.layers)]
    diff_ids = tuple(layer.diff_id for layer in layers)
    if not expected:
        config = msgspec.structs.replace(config, rootfs=RootFS(diff_ids=diff_ids))
        return store.images.add(oci_config.encode(config), [layer.layer for layer in layers], names)
    for number, (found, wanted) in enumerate(zip(diff_ids, expected, strict=True)):
        if found != wanted:
            raise ImageError(f"Layer {number} of the image has the diff_id {found}, but its config says {wanted}.")
    return store.images.add(source.config_bytes, [layer.layer for layer in layers], names)


def _import_layer(
    store: Store, source: SourceImage, index: int, layer: SourceLayer, report: Reporter, step: int
) -> Layer:
    if layer.diff_id:
        found = store.layers.find_by_diff_id(layer.diff_id)
        if found is not None and (found.has_blob or found.original is not None):
            return found
    with source.read_layer(index) as read, store.blobs.new() as raw:
        counted = _Tee(read, raw, lambda done: report(StepProgress(step=step, done_bytes=done)))
        head = counted.peek()
        compression = detect(head)
        origin = f"Layer {index} of the image"
        tar = _HashingRead(reader(counted.read, compression, origin=origin))
        try:
            toc = read_layer(TarReader(tar.read, origin=origin, may_lack_end=True), _hash_contents)
        except StreamError as error:
            raise ImageError(
                error.message, hint="the image is damaged where it comes from: make or fetch it anew"
            ) from error
        while tar.read(_CHUNK) or counted.read(_CHUNK):
            pass  # what follows the end of the archive belongs to the digests
        digest = str(store.blobs.keep(raw))
    if compression == "none":
        return store.layers.add_blob(diff_id=digest, toc=toc)
    if layer.blob is None:
        raise ImageError(f"{origin} is compressed, but nothing describes the compressed bytes.")
    original = msgspec.structs.replace(layer.blob, annotations=None, platform=None)
    return store.layers.add_blob(diff_id=tar.digest, toc=toc, original=original, has_blob=False)


def _hash_contents(tar: TarReader) -> bytes:
    digest = hashlib.sha256()
    for chunk in tar.contents():
        digest.update(chunk)
    return digest.digest()


class _Tee:
    """A reader whose bytes are also written to a file, and counted."""

    def __init__(self, read: Read, file: HashedFile, on_progress: Callable[[int], None]) -> None:
        self._read = read
        self._file = file
        self._on_progress = on_progress
        self._head = b""
        self._told = 0

    def peek(self) -> bytes:
        """The first bytes, enough to recognise a compression; they will be read again."""
        while len(self._head) < MAGIC_SIZE:
            chunk = self._read(_CHUNK)
            if not chunk:
                break
            self._head += chunk
        return self._head

    def read(self, size: int) -> bytes:
        if self._head:
            chunk, self._head = self._head[:size], self._head[size:]
        else:
            chunk = self._read(size)
        if chunk:
            self._file.write(chunk)
            if self._file.size - self._told >= _CHUNK:
                self._told = self._file.size
                self._on_progress(self._told)
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
