"""How an image leaves: which layers are compressed, how, and what its manifest is like.

A layer that came from elsewhere leaves as it came, so that its digest stays.  What was compressed once is remembered,
so that one machine always sends the same bytes for a layer.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Final

import msgspec

from ...oci import annotating, media_types
from ...oci.compression import compressor
from ...oci.manifest import Descriptor
from ...parallel import Check, in_parallel
from ...reference import Reference
from ...store.images import StoredImage
from ...store.layers import Layer
from ...store.records import Record
from ...store.store import Store
from ...transports.base import Outgoing, OutgoingLayer
from ..outputs import Compression, Packing
from . import keys
from .faces import Faces, read_range

_THREADS: Final = 2
_TYPES: Final[dict[Compression, str]] = {
    "gzip": media_types.OCI_LAYER_GZIP,
    "zstd": media_types.OCI_LAYER_ZSTD,
    "uncompressed": media_types.OCI_LAYER,
}
_SAME: Final = {
    media_types.DOCKER_LAYER: media_types.OCI_LAYER,
    media_types.DOCKER_LAYER_GZIP: media_types.OCI_LAYER_GZIP,
}


def pack(store: Store, faces: Faces, image: StoredImage, names: tuple[Reference, ...], packing: Packing) -> Outgoing:
    """An image ready for a transport, its layers packed as wanted (made now where they are missing)."""

    def work(index: int, check: Check) -> OutgoingLayer:
        return pack_layer(store, faces, image.layers[: index + 1], packing, check)

    layers = in_parallel(work, range(len(image.layers)), threads=_THREADS)
    return Outgoing(
        config_bytes=image.config_bytes,
        layers=tuple(layers),
        names=names,
        platform=image.config.platform,
        annotations=annotating.resolve(packing.annotations, image.config.platform),
        is_oci=packing.is_oci,
    )


def pack_layer(store: Store, faces: Faces, stack: Sequence[str], packing: Packing, check: Check) -> OutgoingLayer:
    """The top layer of a stack, packed as wanted."""
    layer = faces.layer(stack[-1])
    original = layer.original
    wanted = _TYPES[packing.compression]
    if original is not None and (
        not packing.is_forced or _SAME.get(original.media_type, original.media_type) == wanted
    ):
        return _stored(store, layer.diff_id, original)
    layer = faces.blob(stack)
    path = store.blobs.path(layer.diff_id)
    plain = Descriptor(media_type=media_types.OCI_LAYER, digest=layer.diff_id, size=os.path.getsize(path))
    if packing.compression == "uncompressed":
        return _stored(store, layer.diff_id, plain)
    return _stored(store, layer.diff_id, _compressed(store, layer, plain, packing, check))


def pack_tar(store: Store, name: str, chunks: Iterable[bytes | memoryview], packing: Packing) -> OutgoingLayer:
    """A tar that is no layer, packed as wanted.  ``name`` tells its contents: what has one name is packed once, and
    then ``chunks`` are not read."""
    parts = (("tar", name), ("compression", packing.compression), ("level", packing.level))
    key = keys.derive("packed", parts)
    packed = _remembered(store, key) or _write(store, key, chunks, packing, ())
    return _stored(store, "", packed)


def _compressed(store: Store, layer: Layer, plain: Descriptor, packing: Packing, check: Check) -> Descriptor:
    """The compressed blob of a layer, made now or before."""
    parts = (("diff_id", layer.diff_id), ("compression", packing.compression), ("level", packing.level))
    key = keys.derive("compressed", parts)

    def chunks() -> Iterator[bytes]:
        for chunk in read_range(store.blobs.path(plain.digest), 0, plain.size):
            check()
            yield chunk

    return _remembered(store, key) or _write(store, key, chunks(), packing, (f"layer:{layer.layer}",))


def _remembered(store: Store, key: str) -> Descriptor | None:
    """A blob that was packed before, if it is still here."""
    known = store.records.get(key)
    found = None if known is None else msgspec.json.decode(known, type=Descriptor)
    return found if found is not None and store.blobs.has(found.digest) else None


def _write(
    store: Store, key: str, chunks: Iterable[bytes | memoryview], packing: Packing, keeps: tuple[str, ...]
) -> Descriptor:
    """Pack bytes into a blob, and remember it as long as there is what it ``keeps``."""
    compression = packing.compression
    method = None if compression == "uncompressed" else compressor(compression, packing.level)
    with store.blobs.new() as file:
        for chunk in chunks:
            file.write(chunk if method is None else method.compress(chunk))
        if method is not None:
            file.write(method.flush())
        digest = str(store.blobs.keep(file))
    made = Descriptor(media_type=_TYPES[compression], digest=digest, size=file.size)
    store.records.put([Record(key, msgspec.json.encode(made), (*keeps, f"blob:{digest}"))])
    return made


def _stored(store: Store, diff_id: str, blob: Descriptor) -> OutgoingLayer:
    return OutgoingLayer(diff_id=diff_id, blob=blob, read=_reader(store.blobs.path(blob.digest), blob.size))


def _reader(path: str, size: int) -> Callable[[], Iterator[bytes]]:
    return lambda: read_range(path, 0, size)
