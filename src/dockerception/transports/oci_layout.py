"""OCI image layouts (image-spec image-layout.md): a directory, or an archive of one."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import Final

import msgspec

from ..errors import ImageError, ImageNotFoundError, TransportError
from ..oci import manifest, media_types
from ..oci.documents import UNREADABLE
from ..oci.manifest import Descriptor, Index, Manifest
from ..reference import Digest, Platform
from .base import Outgoing, SourceLayer
from .file_image import FileImage, FileLayer, diff_ids
from .files import DirectoryFiles, Files, TarFiles, document, inside
from .layout import INDEX, LAYOUT, LayoutDocuments, blob_name, layout_chunks
from .oci_names import find_tag, list_names, names_of
from .verified import check_document

_MAX_DEPTH: Final = 4
_CONFIGS: Final = frozenset({media_types.OCI_CONFIG, media_types.DOCKER_CONFIG})


def open_image(
    path: str, *, tag: str = "", digest: str = "", platform: Platform, scratch: str | None = None
) -> FileImage:
    """The image of a layout: the one with this digest, else with this tag or name, else the only one or ``latest``.

    ``path`` is a directory or an archive of one; ``scratch`` is the directory for the contents of a compressed archive.
    Raises ``ImageNotFoundError`` that lists the names, ``ImageError`` for a damaged layout and ``TransportError`` for
    one that can't be read.
    """
    files = _files(path, scratch)
    try:
        index = _read_index(files)
        entry = _find_digest(files, index, digest) if digest else find_tag(index, tag, platform, origin=files.origin)
        return _open(files, _resolve(files, entry, platform), names=names_of(entry))
    except BaseException:
        files.close()
        raise


def open_images(path: str, *, scratch: str | None = None, origin: str = "") -> tuple[FileImage, ...]:
    """All images of the layout, those of its indexes too, with their ``names``.  Closing one closes it for all.

    ``origin`` is what messages call an archive, where that is not its path.
    """
    files = _files(path, scratch, origin)
    try:
        found: dict[str, tuple[Descriptor, list[str]]] = {}
        for entry in _read_index(files).manifests:
            for item in _leaves(files, entry, _MAX_DEPTH):
                found.setdefault(item.digest, (item, []))[1].extend(names_of(entry))
        return tuple(_open(files, item, names=names) for item, names in found.values())
    except BaseException:
        files.close()
        raise


def write(
    image: Outgoing | Sequence[Outgoing], sink: Callable[[bytes], None], *, documents: LayoutDocuments | None = None
) -> None:
    """Write an archive of a layout to ``sink``, which gets its bytes in order.  Equal images give equal bytes.

    Images that share a name become one index, one manifest a platform.  ``documents`` are theirs, where these are not
    the usual ones.
    """
    images = (image,) if isinstance(image, Outgoing) else tuple(image)
    for chunk in layout_chunks(images, documents or LayoutDocuments.of(images), extra={}):
        sink(chunk)


def _files(path: str, scratch: str | None, origin: str = "") -> Files:
    if os.path.isdir(path):
        return DirectoryFiles(path)
    if not os.path.exists(path):
        raise TransportError(f"There is no OCI layout {path}: no such file or directory.")
    return TarFiles(path, scratch=scratch, origin=origin)


def _read_index(files: Files) -> Index:
    for name in (LAYOUT, INDEX):
        if files.size(name) is None:
            hint = f"at its top are: {', '.join(files.names()[:10]) or 'no files'}"
            if files.size("manifest.json") is not None:
                hint = "this is a Docker archive: name it as docker-archive:FILE"
            raise ImageError(f"{files.origin} is not an OCI layout: it has no file {name}.", hint=hint)
    try:
        layout = msgspec.json.decode(document(files, LAYOUT), type=dict[str, object])
    except UNREADABLE as error:
        raise ImageError(f"{files.origin} has an {LAYOUT} that is not a valid document: {error}.") from error
    version = layout.get("imageLayoutVersion")
    if version != "1.0.0":
        raise ImageError(f"{files.origin} is an OCI layout of version “{version}”; only 1.0.0 is known.")
    return manifest.decode_index(document(files, INDEX))


def _find_digest(files: Files, index: Index, digest: str) -> Descriptor:
    parsed = Digest.parse(digest)
    for entry in index.manifests:
        if entry.digest == digest:
            return entry
    size = files.size(blob_name(digest))
    if size is None:
        raise ImageNotFoundError(f"{files.origin} has no manifest {digest}.", hint=list_names(index))
    data = check_document(document(files, blob_name(digest)), parsed, origin=f"The manifest {digest}")
    return Descriptor(media_type=_type_of(data), digest=digest, size=size)


def _type_of(data: bytes) -> str:
    """What a document says that it is; the field is optional in OCI's documents, their members are not."""
    try:
        members = msgspec.json.decode(data, type=dict[str, msgspec.Raw])
        stated = msgspec.json.decode(members["mediaType"], type=str) if "mediaType" in members else ""
    except UNREADABLE as error:
        raise ImageError(f"The image manifest is not a valid document: {error}.") from error
    return stated or (media_types.OCI_INDEX if "manifests" in members else media_types.OCI_MANIFEST)


def _resolve(files: Files, entry: Descriptor, platform: Platform) -> Descriptor:
    """The manifest that an index, or an index of indexes, has for a platform."""
    for _ in range(_MAX_DEPTH):
        if entry.media_type not in media_types.INDEXES:
            return entry
        entry = manifest.choose(manifest.decode_index(_blob(files, entry)), platform)
    raise ImageError(f"{files.origin} has indexes nested more than {_MAX_DEPTH} deep.")


def _leaves(files: Files, entry: Descriptor, depth: int) -> list[Descriptor]:
    if entry.media_type in media_types.MANIFESTS:
        is_attestation = entry.platform is not None and entry.platform.os == "unknown"
        return [] if is_attestation else [entry]
    if entry.media_type not in media_types.INDEXES:
        return []
    if depth == 0:
        raise ImageError(f"{files.origin} has indexes nested more than {_MAX_DEPTH} deep.")
    nested = manifest.decode_index(_blob(files, entry)).manifests
    return [leaf for item in nested for leaf in _leaves(files, item, depth - 1)]


def _blob(files: Files, descriptor: Descriptor) -> bytes:
    """A document by its descriptor, verified."""
    name = blob_name(descriptor.digest)
    _check_size(files, descriptor)
    return check_document(
        document(files, name),
        Digest.parse(descriptor.digest),
        origin=f"The blob {descriptor.digest} in {inside(files)}",
    )


def _check_size(files: Files, descriptor: Descriptor) -> None:
    size = files.size(blob_name(descriptor.digest))
    if size is None:
        raise ImageError(f"{files.origin} is incomplete: the blob {descriptor.digest} is missing.")
    if size != descriptor.size:
        raise ImageError(
            f"{files.origin} is damaged: the blob {descriptor.digest} has {size} bytes instead of {descriptor.size}."
        )


def _open(files: Files, entry: Descriptor, *, names: Sequence[str]) -> FileImage:
    if entry.media_type not in media_types.MANIFESTS:
        raise ImageError(f"{files.origin} has no image there: {entry.digest} is of type {entry.media_type}.")
    document_ = manifest.decode_manifest(_blob(files, entry))
    if document_.config.media_type not in _CONFIGS:
        raise ImageError(
            f"{files.origin} has no container image there: its config is of type {document_.config.media_type}."
        )
    config_bytes = _blob(files, document_.config)
    return FileImage(files, config_bytes, _layers(files, document_, config_bytes), names=names)


def _layers(files: Files, image: Manifest, config_bytes: bytes) -> list[FileLayer]:
    ids = diff_ids(config_bytes)
    if len(ids) != len(image.layers):
        raise ImageError(f"{files.origin} has an image of {len(image.layers)} layers whose config lists {len(ids)}.")
    for blob in image.layers:
        if blob.media_type not in media_types.LAYERS:
            raise ImageError(f"The layer {blob.digest} in {inside(files)} is of the unknown type {blob.media_type}.")
        _check_size(files, blob)
    return [
        FileLayer(layer=SourceLayer(diff_id=diff_id, blob=blob), name=blob_name(blob.digest))
        for diff_id, blob in zip(ids, image.layers, strict=True)
    ]
