"""The OCI image layout (image-spec image-layout.md) as it is written: documents, their names, and the tar of it all."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final

import msgspec

from ..errors import ImageError
from ..oci import config as oci_config
from ..oci import manifest, media_types, tarwriter
from ..oci.entry import DIRECTORY, FILE, Entry
from ..oci.manifest import Descriptor, Index
from ..reference import Digest, Reference
from .base import Outgoing, OutgoingLayer
from .image_manifest import image_index, image_manifest, platform_manifest

LAYOUT: Final = "oci-layout"
LAYOUT_BYTES: Final = b'{"imageLayoutVersion":"1.0.0"}'
INDEX: Final = "index.json"
REF_NAME: Final = "org.opencontainers.image.ref.name"
CONTAINERD_NAME: Final = "io.containerd.image.name"


class LayoutDocuments(msgspec.Struct, frozen=True, kw_only=True):
    """What a layout holds besides layers: ``blobs`` by digest, and ``entries`` of its index, one a name."""

    blobs: dict[str, bytes]
    entries: tuple[Descriptor, ...]

    @classmethod
    def of(cls, images: Sequence[Outgoing], *, is_one: bool = False) -> LayoutDocuments:
        """The documents for these images; images that share a name are put into an index of their own.

        ``is_one`` says that they are one image, for several platforms, though it may have no name.
        """
        blobs: dict[str, bytes] = {}
        named: dict[Reference, list[Outgoing]] = {}
        unnamed = [image for image in images if not image.names]
        for image in images:
            _add_manifest(image, blobs)
            for reference in image.names:
                named.setdefault(reference, []).append(image)
        if is_one and unnamed:
            entries = [_entry(unnamed, blobs)]
        else:
            entries = [_entry([image], blobs) for image in unnamed]
        for reference, those in named.items():
            found = _entry(those, blobs)
            named_so = {**(found.annotations or {}), **_annotations(reference)}
            entries.append(msgspec.structs.replace(found, annotations=named_so))
        return cls(blobs=blobs, entries=tuple(entries))

    @property
    def index_bytes(self) -> bytes:
        """The layout's ``index.json``."""
        return index_document(self.entries)


def index_document(entries: Sequence[Descriptor]) -> bytes:
    """The bytes of an ``index.json``."""
    return manifest.encode(Index(schema_version=2, media_type=media_types.OCI_INDEX, manifests=tuple(entries)))


def blob_name(digest: str) -> str:
    """Where the layout has the blob of this digest."""
    parsed = Digest.parse(digest)
    return f"blobs/{parsed.algorithm}/{parsed.hex}"


def distinct_layers(images: Iterable[Outgoing]) -> Iterator[OutgoingLayer]:
    """The layers of all images, each blob once."""
    seen: set[str] = set()
    for image in images:
        for layer in image.layers:
            if layer.blob.digest not in seen:
                seen.add(layer.blob.digest)
                yield layer


def sized(layer: OutgoingLayer) -> Iterator[bytes]:
    """A layer's bytes; raises ``ImageError`` unless there are as many as its descriptor says."""
    count = 0
    for chunk in layer.read():
        count += len(chunk)
        if count > layer.blob.size:
            break
        yield chunk
    if count != layer.blob.size:
        raise ImageError(f"The layer {layer.blob.digest} has another size than the {layer.blob.size} bytes it should.")


def layout_chunks(
    images: Sequence[Outgoing], documents: LayoutDocuments, *, extra: Mapping[str, bytes]
) -> Iterator[bytes]:
    """The tar of a layout, with ``extra`` files at its top.

    The documents come first, so that whoever looks for a name or a size need not read the layers.
    """
    mtime = max((oci_config.parse_time(oci_config.decode(image.config_bytes).created) for image in images), default=0)
    algorithms = {Digest.parse(digest).algorithm for digest in documents.blobs}
    algorithms |= {Digest.parse(layer.blob.digest).algorithm for layer in distinct_layers(images)}
    for name, data in sorted({LAYOUT: LAYOUT_BYTES, INDEX: documents.index_bytes, **extra}.items()):
        yield from _file(name, len(data), (data,), mtime)
    for folder in ("blobs", *(f"blobs/{algorithm}" for algorithm in sorted(algorithms))):
        yield tarwriter.header(Entry(path=folder, kind=DIRECTORY, mode=0o755, mtime=mtime))
    for digest, data in documents.blobs.items():
        yield from _file(blob_name(digest), len(data), (data,), mtime)
    for layer in distinct_layers(images):
        yield from _file(blob_name(layer.blob.digest), layer.blob.size, sized(layer), mtime)
    yield tarwriter.END_OF_ARCHIVE


def _file(name: str, size: int, chunks: Iterable[bytes], mtime: int) -> Iterator[bytes]:
    yield tarwriter.header(Entry(path=name, kind=FILE, mode=0o644, size=size, mtime=mtime))
    yield from chunks
    if size % tarwriter.BLOCK_SIZE:
        yield bytes(-size % tarwriter.BLOCK_SIZE)


def _add_manifest(image: Outgoing, blobs: dict[str, bytes]) -> None:
    made = image_manifest(image)
    blobs[made.descriptor.digest] = made.data
    blobs[made.config.digest] = image.config_bytes


def _entry(images: Sequence[Outgoing], blobs: dict[str, bytes]) -> Descriptor:
    """What leads to an image, or to the index of several."""
    if len(images) == 1:
        return platform_manifest(images[0])
    first = images[0]
    data, descriptor = image_index(list(map(platform_manifest, images)), first.annotations, is_oci=first.is_oci)
    blobs[descriptor.digest] = data
    return descriptor


def _annotations(reference: Reference) -> dict[str, str]:
    tag = {REF_NAME: reference.tag} if reference.tag else {}
    return {CONTAINERD_NAME: str(reference), **tag}
