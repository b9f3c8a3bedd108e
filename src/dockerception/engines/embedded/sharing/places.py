"""The places that caches are kept in: what a registry and a directory have in common."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import Protocol

from ....oci.manifest import Descriptor
from ....reference import Platform
from ....transports.base import Read
from .options import Place

Chunks = Callable[[], Iterator[bytes]]


class OpenPlace(Protocol):
    """A place, opened for reading or for writing; threads may share it.  ``close`` it.

    Methods raise ``ImageNotFoundError`` for what is not there, ``ImageError`` for what is damaged, and
    ``TransportError`` where the place does not answer or refuses.
    """

    @property
    def title(self) -> str:
        """What messages call it."""

    @property
    def repository(self) -> str:
        """The name of the registry's repository; empty for a directory."""

    def manifest(self) -> bytes:
        """The manifest of the cache, or of the image, that the place names."""

    def open(self, blob: Descriptor) -> AbstractContextManager[Read]:
        """A blob's bytes; size and digest are verified at the end."""

    def put(self, blob: Descriptor, chunks: Chunks) -> bool:
        """Have a blob there; returns whether it had to be sent.  ``chunks()`` begins its bytes anew."""

    def put_manifest(self, data: bytes, media_type: str) -> None:
        """Have the place name this manifest from now on; all its blobs are there."""

    def close(self) -> None:
        """Free what is open; further calls do nothing."""


def open_place(place: Place, platform: Platform, *, writes: bool) -> OpenPlace:
    """Open a place.  What it names may be an index, and then ``platform`` chooses."""
    if place.reference is not None:
        from .registry_place import RegistryPlace

        return RegistryPlace(place.reference, platform, writes=writes)
    from .directory_place import DirectoryPlace

    return DirectoryPlace(place, platform)


def read_small(place: OpenPlace, blob: Descriptor) -> bytes:
    """The whole of a small blob."""
    pieces = []
    with place.open(blob) as read:
        while piece := read(1 << 20):
            pieces.append(piece)
    return b"".join(pieces)
