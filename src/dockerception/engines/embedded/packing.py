"""How an image leaves: which layers are compressed, how, and what its manifest is like.

A layer that came from elsewhere leaves as it came, so that its digest stays.  What was compressed once is remembered,
so that one machine always sends the same bytes for a layer.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from typing import Final

import msgspec

from ...oci import media_types
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
        return _pack_layer(store, faces, image.layers[: index + 1], packing, check)

    layers = in_parallel(work, range(len(image.layers)), threads=_THREADS)
    return Outgoing(
        config_bytes=image.config_bytes,
        layers=tuple(layers),
        names=names,
        platform=image.config.platform,
        annotations=packing.annotations,
    )


def _pack_layer(store: Store, faces: Faces, stack: Sequence[str], packing: Packing, check: Check) -> OutgoingLayer:
    layer = store.layers.get(stack[-1])
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


def _compressed(store: Store, layer: Layer, plain: Descriptor, packing: Packing, check: Check) -> Descriptor:
    """The compressed blob of a layer, made now or before."""
    parts = (("diff_id", layer.diff_id), ("compression", packing.compression), ("level", packing.level))
    key = keys.derive("compressed", parts)
    known = store.records.get(key)
    if known is not None:
        found = msgspec.json.decode(known, type=Descriptor)
        if store.blobs.has(found.digest):
            return found
    method = compressor("zstd" if packing.compression == "zstd" else "gzip", packing.level)
    with store.blobs.new() as file:
        for chunk in read_range(store.blobs.path(plain.digest), 0, plain.size):
            check()
            file.write(method.compress(chunk))
        file.write(method.flush())
        digest = str(store.blobs.keep(file))
    made = Descriptor(media_type=_TYPES[packing.compression], digest=digest, size=file.size)
    store.records.put([Record(key, msgspec.json.encode(made), (f"layer:{layer.layer}", f"blob:{digest}"))])
    return made


def _stored(store: Store, diff_id: str, blob: Descriptor) -> OutgoingLayer:
    return OutgoingLayer(diff_id=diff_id, blob=blob, read=_reader(store.blobs.path(blob.digest), blob.size))


def _reader(path: str, size: int) -> Callable[[], Iterator[bytes]]:
    return lambda: read_range(path, 0, size)
