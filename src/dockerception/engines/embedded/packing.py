"""How an image leaves: which layers are compressed, how, and what its manifest is like.

A layer that came from elsewhere leaves as it came, so that its digest stays.  What was compressed once is remembered,
so that one machine always sends the same bytes for a layer.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from typing import Final, Literal

import msgspec

from ...errors import UsageError
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
from . import keys
from .faces import Faces, read_range

Compression = Literal["gzip", "zstd", "uncompressed"]
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
_LEVELS: Final = {"gzip": range(10), "zstd": range(1, 23)}
_ANNOTATION: Final = ("annotation.", "annotation-manifest.")

ATTRIBUTES: Final = ("compression", "compression-level", "force-compression", "oci-mediatypes", "annotation.KEY")


class Packing(msgspec.Struct, frozen=True, kw_only=True):
    """What ``-o`` says of layers and manifests, as ``docker buildx build`` names it.

    ``is_forced`` compresses layers anew that are compressed otherwise.  ``level`` is the compressor's, None its
    default.  ``is_given`` says whether any of it was asked for.
    """

    compression: Compression = "gzip"
    level: int | None = None
    is_forced: bool = False
    is_oci: bool = True
    annotations: dict[str, str] = {}
    is_given: bool = False


def is_packing(attribute: str) -> bool:
    """Whether an attribute of an output is one of this room's."""
    return attribute in ATTRIBUTES or attribute.startswith(_ANNOTATION)


def read_packing(attributes: Sequence[tuple[str, str]], *, default: Compression = "gzip") -> Packing:
    """The packing that an output's attributes describe; others' attributes are passed over.

    Raises ``UsageError`` for a value that there is not.
    """
    given = {name: value for name, value in attributes if is_packing(name)}
    compression = given.get("compression", default)
    if compression not in _TYPES:
        raise UsageError(f"“{compression}” is not a compression.", hint=f"choose one of {', '.join(_TYPES)}")
    annotations = {name.partition(".")[2]: value for name, value in given.items() if name.startswith(_ANNOTATION)}
    return Packing(
        compression=compression,
        level=_level(given.get("compression-level", ""), compression),
        is_forced=read_flag("force-compression", given.get("force-compression", "false")),
        is_oci=read_flag("oci-mediatypes", given.get("oci-mediatypes", "true")),
        annotations=annotations,
        is_given=bool(given),
    )


def read_flag(name: str, value: str) -> bool:
    """A yes or no as an attribute's value; raises ``UsageError``."""
    if value.lower() in ("true", "1", ""):
        return True
    if value.lower() in ("false", "0"):
        return False
    raise UsageError(f"{name}={value} is neither true nor false.")


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


def _level(text: str, compression: str) -> int | None:
    if not text:
        return None
    levels = _LEVELS.get(compression, range(0))
    if not text.isdigit() or int(text) not in levels:
        there = f"{levels[0]} to {levels[-1]}" if levels else "none"
        raise UsageError(f"compression-level={text}: {compression} has no such level.", hint=f"it has {there}")
    return int(text)
