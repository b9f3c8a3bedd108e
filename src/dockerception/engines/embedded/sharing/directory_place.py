"""A cache in a directory, which is an OCI image layout; each tag of it is a cache of its own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import msgspec

from ....errors import ImageError, ImageNotFoundError
from ....oci import manifest as manifests
from ....oci.documents import UNREADABLE
from ....oci.manifest import Descriptor
from ....reference import Digest, Platform
from ....transports import layout_directory
from ....transports.base import Read
from ....transports.files import DirectoryFiles, document
from ....transports.layout import INDEX, REF_NAME, blob_name
from ....transports.verified import check_document, verified
from .options import Place
from .places import Chunks

_MAX_DEPTH: Final = 4


class DirectoryPlace:
    """See ``places.OpenPlace``.  The directory is made by the first ``put``."""

    def __init__(self, place: Place, platform: Platform) -> None:
        self._place = place
        self._platform = platform
        self._files = DirectoryFiles(place.directory)

    @property
    def title(self) -> str:
        return self._place.title

    @property
    def repository(self) -> str:
        return ""

    def manifest(self) -> bytes:
        digest = self._place.digest or self._tagged()
        for _ in range(_MAX_DEPTH):
            data = check_document(
                document(self._files, blob_name(digest)), Digest.parse(digest), origin=f"The manifest {digest}"
            )
            if not _is_index(data):
                return data
            digest = manifests.choose(manifests.decode_index(data), self._platform).digest
        raise ImageError(f"{self.title} has indexes nested more than {_MAX_DEPTH} deep.")

    @contextmanager
    def open(self, blob: Descriptor) -> Iterator[Read]:
        name = blob_name(blob.digest)
        subject = f"The blob {blob.digest} in {self.title}"
        size = self._files.size(name)
        if size is None:
            raise ImageNotFoundError(f"{subject} is missing.")
        if size != blob.size:
            raise ImageError(f"{subject} is damaged: it has {size} bytes instead of {blob.size}.")
        yield verified(self._files.open(name), blob.digest, blob.size, origin=subject)

    def put(self, blob: Descriptor, chunks: Chunks) -> bool:
        return layout_directory.put_blob(self._place.directory, blob, chunks)

    def put_manifest(self, data: bytes, media_type: str) -> None:
        entry = manifests.describe(data, media_type)
        layout_directory.put_blob(self._place.directory, entry, lambda: iter((data,)))
        named = msgspec.structs.replace(entry, annotations={REF_NAME: self._place.tag})
        layout_directory.put_entries(self._place.directory, [named])

    def close(self) -> None:
        """Nothing stays open."""

    def _tagged(self) -> str:
        if self._files.size(INDEX) is None:
            raise ImageNotFoundError(f"There is no cache in {self.title}.")
        for entry in manifests.decode_index(document(self._files, INDEX)).manifests:
            if (entry.annotations or {}).get(REF_NAME) == self._place.tag:
                return entry.digest
        raise ImageNotFoundError(f"{self.title} has no cache with the tag “{self._place.tag}”.")


def _is_index(data: bytes) -> bool:
    try:
        return "manifests" in msgspec.json.decode(data, type=dict[str, msgspec.Raw])
    except UNREADABLE:
        return False  # reading it as a manifest says what is wrong
