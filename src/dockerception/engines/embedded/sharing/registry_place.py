"""A cache in a registry, under a name like an image's."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Final

from ....errors import ImageError
from ....oci import manifest as manifests_
from ....oci import media_types
from ....oci.manifest import Descriptor
from ....reference import Platform, Reference
from ....transports.base import Read
from ....transports.registry import blobs, manifests, uploads
from ....transports.registry.session import Registries
from .places import Chunks

_MAX_DEPTH: Final = 4


class RegistryPlace:
    """See ``places.OpenPlace``.  Mirrors are not asked: what they have may be old."""

    def __init__(self, reference: Reference, platform: Platform, *, writes: bool) -> None:
        self._reference = reference
        self._platform = platform
        self._registries = Registries()
        self._repository = self._registries.target(reference) if writes else self._registries.sources(reference)[-1]

    @property
    def title(self) -> str:
        return self._reference.familiar

    @property
    def repository(self) -> str:
        return self._reference.repository

    def manifest(self) -> bytes:
        found = manifests.get(self._repository, str(self._reference.digest or self._reference.tag))
        for _ in range(_MAX_DEPTH):
            if found.media_type not in media_types.INDEXES:
                return found.data
            entry = manifests_.choose(manifests_.decode_index(found.data), self._platform)
            found = manifests.get(self._repository, entry.digest)
        raise ImageError(f"{self.title} has indexes nested more than {_MAX_DEPTH} deep.")

    def open(self, blob: Descriptor) -> AbstractContextManager[Read]:
        return blobs.open_blob(self._repository, blob, subject=f"The blob {blob.digest} of {self.title}")

    def put(self, blob: Descriptor, chunks: Chunks) -> bool:
        sent = uploads.Blob(descriptor=blob, chunks=chunks, subject=f"The blob {blob.digest} of {self.title}")
        return uploads.upload(self._repository, sent, advance=lambda count: None) == "sent"

    def put_manifest(self, data: bytes, media_type: str) -> None:
        name = self._reference.tag or manifests_.describe(data, media_type).digest
        manifests.put(self._repository, name, data, media_type)

    def close(self) -> None:
        self._registries.close()
