"""An image in a registry as a ``SourceImage``."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Final

from ...errors import ImageError, ImageNotFoundError, TransportError
from ...oci import manifest, media_types
from ...oci.manifest import Descriptor, Manifest
from ...reference import Platform, Reference
from ..base import Read, SourceLayer
from ..file_image import diff_ids
from . import blobs, manifests
from .manifests import Fetched
from .session import Registries, Repository

_MAX_DEPTH: Final = 4
_CONFIG_LIMIT: Final = 16 << 20
_CONFIGS: Final = frozenset({media_types.OCI_CONFIG, media_types.DOCKER_CONFIG})


class RegistryImage:
    """An image that can be read from several threads.  ``digest`` is what its name leads to: an index, or a manifest.

    ``manifest_bytes`` and ``manifest_type`` are the image's own manifest.
    """

    def __init__(self, repository: Repository, top: Fetched, chosen: Fetched, registries: Registries | None) -> None:
        document = manifest.decode_manifest(chosen.data)
        self.digest = top.digest
        self.manifest_bytes = chosen.data
        self.manifest_type = chosen.media_type
        self._repository = repository
        self._registries = registries
        self._blobs = document.layers
        self.config_bytes = _config(repository, document)
        self.identity = document.config.digest
        self.layers = _layers(repository, document, self.config_bytes)

    @property
    def size(self) -> int:
        """The sum of the sizes of all layers in bytes, as they come."""
        return sum(blob.size for blob in self._blobs)

    def read_layer(self, index: int) -> AbstractContextManager[Read]:
        """The layer's bytes as the registry has them, verified; resumed after a cut."""
        blob = self._blobs[index]
        return blobs.open_blob(self._repository, blob, subject=f"The layer {blob.digest} of {self._repository.title}")

    def close(self) -> None:
        """Close the connections, where they were opened for this image."""
        registries, self._registries = self._registries, None
        if registries is not None:
            registries.close()


def open_image(reference: Reference, *, platform: Platform, registries: Registries | None = None) -> RegistryImage:
    """The image of a name for a platform, from a mirror or from the registry itself.

    A digest in the name decides, and is checked; the tag is then a word for readers.  Raises ``ImageNotFoundError``,
    ``ImageError`` for what is damaged or not for this platform, and ``TransportError``.
    """
    used = registries or Registries()
    try:
        return _open_anywhere(reference, platform, used, None if registries else used)
    except BaseException:
        if registries is None:
            used.close()
        raise


def _open_anywhere(
    reference: Reference, platform: Platform, registries: Registries, owned: Registries | None
) -> RegistryImage:
    *mirrors, origin = registries.sources(reference)
    for mirror in mirrors:
        try:
            return _open(mirror, reference, platform, owned)
        except (ImageNotFoundError, TransportError):
            continue  # a mirror need not have everything, nor be there; the registry itself decides
    return _open(origin, reference, platform, owned)


def _open(repository: Repository, reference: Reference, platform: Platform, owned: Registries | None) -> RegistryImage:
    top = manifests.get(repository, str(reference.digest or reference.tag))
    chosen = top
    for _ in range(_MAX_DEPTH):
        if chosen.media_type not in media_types.INDEXES:
            return RegistryImage(repository, top, chosen, owned)
        entry = manifest.choose(manifest.decode_index(chosen.data), platform)
        chosen = manifests.get(repository, entry.digest)
        if len(chosen.data) != entry.size:
            raise ImageError(
                f"The manifest {entry.digest} of {repository.title} has {len(chosen.data)} bytes, but its index says"
                f" {entry.size}."
            )
    raise ImageError(f"{repository.title} has indexes nested more than {_MAX_DEPTH} deep.")


def _config(repository: Repository, document: Manifest) -> bytes:
    if document.config.media_type not in _CONFIGS:
        raise ImageError(
            f"{repository.title} has no container image there: its config is of type {document.config.media_type}."
        )
    subject = f"The config {document.config.digest} of {repository.title}"
    return blobs.read_small(repository, document.config, subject=subject, limit=_CONFIG_LIMIT)


def _layers(repository: Repository, document: Manifest, config_bytes: bytes) -> tuple[SourceLayer, ...]:
    ids = diff_ids(config_bytes)
    if len(ids) != len(document.layers):
        raise ImageError(
            f"{repository.title} has an image of {len(document.layers)} layers whose config lists {len(ids)}."
        )
    for blob in document.layers:
        if blob.media_type not in media_types.LAYERS:
            raise ImageError(
                f"The layer {blob.digest} of {repository.title} is of the unknown type {blob.media_type}.",
                hint="layers are tars: plain, gzip or zstd",
            )
    return tuple(
        SourceLayer(diff_id=diff_id, blob=_plain(blob)) for diff_id, blob in zip(ids, document.layers, strict=True)
    )


def _plain(blob: Descriptor) -> Descriptor:
    return Descriptor(media_type=blob.media_type, digest=blob.digest, size=blob.size)
