"""Docker's archives: what ``docker save`` writes and ``docker load`` reads (moby image/spec v1.2, and its OCI hybrid).

``manifest.json`` lists the images.  Written archives are an OCI layout as well, as those of Docker 25 and later are.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from typing import Final

import msgspec

from ..errors import ImageError, ImageNotFoundError, UsageError
from ..oci import compression, media_types
from ..oci import config as oci_config
from ..oci.documents import UNREADABLE
from ..oci.manifest import Descriptor
from ..reference import Digest, Platform, Reference
from .base import Outgoing, SourceLayer
from .file_image import FileImage, FileLayer, diff_ids
from .files import Files, TarFiles, document, inside, missing
from .layout import LayoutDocuments, blob_name, layout_chunks
from .verified import check_document, digest_of, image_errors

MANIFEST: Final = "manifest.json"
_HEX_NAME: Final = re.compile(r"(?:.*/|sha256:)?([0-9a-f]{64})(?:\.json)?")
_BLOB_NAME: Final = re.compile(r"blobs/sha256/([0-9a-f]{64})")
_LAYER_TYPES: Final = {"gzip": media_types.OCI_LAYER_GZIP, "zstd": media_types.OCI_LAYER_ZSTD}


class NoManifestError(ImageError):
    """The archive has no ``manifest.json``, so it is of another kind; ``hint`` says of which."""


class _Item(msgspec.Struct, frozen=True, kw_only=True, rename="pascal"):
    """One image of ``manifest.json``."""

    config: str
    repo_tags: tuple[str, ...] | None = None
    layers: tuple[str, ...] | None = None


def open_image(path: str, *, name: str | None = None, platform: Platform, scratch: str | None = None) -> FileImage:
    """The image ``name`` of the archive; without a name the only one, or the only one for ``platform``.

    ``scratch`` is the directory for the contents of a compressed archive.  Raises ``ImageNotFoundError`` that lists the
    names, ``ImageError`` for a damaged archive and ``TransportError`` for one that can't be read.
    """
    files = TarFiles(path, scratch=scratch)
    try:
        return _open(files, _choose(files, _items(files), name, platform))
    except BaseException:
        files.close()
        raise


def open_images(path: str, *, scratch: str | None = None, origin: str = "") -> tuple[FileImage, ...]:
    """All images of the archive, with their ``names``.  Closing one closes the archive for all.

    ``origin`` is what messages call it, where that is not its path.
    """
    files = TarFiles(path, scratch=scratch, origin=origin)
    try:
        return tuple(_open(files, item) for item in _items(files))
    except BaseException:
        files.close()
        raise


def write(image: Outgoing | Sequence[Outgoing], sink: Callable[[bytes], None]) -> None:
    """Write the archive of ``chunks`` to ``sink``, which gets its bytes in order."""
    for chunk in chunks(image):
        sink(chunk)


def chunks(image: Outgoing | Sequence[Outgoing]) -> Iterator[bytes]:
    """The bytes of an archive of one or more images.  Equal images give equal bytes.

    Raises ``UsageError`` for two images under one name: this format can't say which platform each is for.
    """
    images = (image,) if isinstance(image, Outgoing) else tuple(image)
    names = [reference for item in images for reference in item.names]
    for reference in names:
        if names.count(reference) > 1:
            raise UsageError(
                f"A Docker archive can't hold several images under the name {reference.familiar}.",
                hint="write an OCI archive: --output type=oci",
            )
    listing = msgspec.json.encode([_listed(item) for item in images])
    yield from layout_chunks(images, LayoutDocuments.of(images), extra={MANIFEST: listing})


def _listed(image: Outgoing) -> dict[str, object]:
    return {
        "Config": blob_name(digest_of(image.config_bytes)),
        "RepoTags": [reference.familiar for reference in image.names if reference.tag and not reference.digest],
        "Layers": [blob_name(layer.blob.digest) for layer in image.layers],
    }


def _items(files: Files) -> tuple[_Item, ...]:
    if files.size(MANIFEST) is None:
        raise _not_an_archive(files)
    try:
        items = msgspec.json.decode(document(files, MANIFEST), type=tuple[_Item, ...])
    except UNREADABLE as error:
        raise ImageError(f"{files.origin} has a {MANIFEST} that is not a valid document: {error}.") from error
    if not items:
        raise ImageError(f"{files.origin} holds no image: its {MANIFEST} is an empty list.")
    return items


def _not_an_archive(files: Files) -> NoManifestError:
    names = files.names()
    if "index.json" in names:
        hint = "this is an OCI archive: name it as oci-archive:FILE"
    elif "repositories" in names:
        hint = "Docker before 1.10 wrote it: load it into a Docker of that time or up to 27 and save it again"
    elif {"bin", "usr", "etc"} & set(names):
        hint = "this looks like a root file system: name it as rootfs:FILE"
    else:
        hint = f"at its top are: {', '.join(names[:10]) or 'no files'}"
    return NoManifestError(f"{files.origin} is not a Docker archive: it has no {MANIFEST}.", hint=hint)


def _choose(files: Files, items: Sequence[_Item], name: str | None, platform: Platform) -> _Item:
    found = [item for item in items if name is None or _has_name(item, Reference.parse(name))]
    if len(found) > 1:
        found = [item for item in found if _platform(files, item) == platform] or found
    if len(found) == 1:
        return found[0]
    there = ", ".join(tag for item in items for tag in item.repo_tags or ["an image without a name"])
    if found:
        raise ImageError(f"{files.origin} holds several images.", hint=f"append “:” and one of their names: {there}")
    raise ImageNotFoundError(f"{files.origin} holds no image {name}.", hint=f"it holds: {there}")


def _has_name(item: _Item, wanted: Reference) -> bool:
    for tag in item.repo_tags or ():
        try:
            if Reference.parse(tag) == wanted:
                return True
        except UsageError:
            continue  # a name that nobody can ask for
    return False


def _platform(files: Files, item: _Item) -> Platform:
    return oci_config.decode(document(files, item.config)).platform


def _open(files: Files, item: _Item) -> FileImage:
    config_bytes = document(files, item.config)
    named = _HEX_NAME.fullmatch(item.config)
    if named:
        origin = f"The config {item.config} in {inside(files)}"
        check_document(config_bytes, Digest("sha256", named[1]), origin=origin)
    names = item.layers or ()
    ids = diff_ids(config_bytes)
    if len(ids) != len(names):
        raise ImageError(f"{files.origin} has an image of {len(names)} layers whose config lists {len(ids)}.")
    layers = [_layer(files, name, diff_id) for name, diff_id in zip(names, ids, strict=True)]
    return FileImage(files, config_bytes, layers, names=item.repo_tags or ())


def _layer(files: Files, name: str, diff_id: str) -> FileLayer:
    """A layer is what its file's first bytes say; its digest is known if it is not compressed or if its name is one."""
    size = files.size(name)
    if size is None:
        raise missing(files, name)
    with image_errors():
        kind = compression.detect(files.open(name)(6))
    blob = None
    named = _BLOB_NAME.fullmatch(name)
    if kind == "none":
        blob = Descriptor(media_type=media_types.OCI_LAYER, digest=diff_id, size=size)
    elif named and kind in _LAYER_TYPES:
        blob = Descriptor(media_type=_LAYER_TYPES[kind], digest=f"sha256:{named[1]}", size=size)
    return FileLayer(layer=SourceLayer(diff_id=diff_id, blob=blob), name=name, compression=kind)
