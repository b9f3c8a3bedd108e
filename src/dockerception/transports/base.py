"""What a transport gives (``SourceImage``) and takes (``Outgoing``)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import Protocol

import msgspec

from ..oci.annotating import Annotations
from ..oci.manifest import Descriptor
from ..reference import Platform, Reference

Read = Callable[[int], bytes]
"""``read(n)`` returns at most ``n`` bytes, none at the end; it raises rather than end early or with wrong bytes."""


class SourceLayer(msgspec.Struct, frozen=True, kw_only=True):
    """A layer at its source.

    ``diff_id`` is empty where only reading the tar tells it.  ``blob`` describes the bytes that ``read_layer`` yields;
    None where they are an uncompressed tar that is made while it is read.
    """

    diff_id: str = ""
    blob: Descriptor | None = None


class SourceImage(Protocol):
    """An image at its source, opened for reading; ``close`` it."""

    @property
    def identity(self) -> str:
        """Changes exactly when the image does: a config digest, or the digest of a list of package versions."""

    @property
    def config_bytes(self) -> bytes:
        """The config document.  Where the source has none, one without ``diff_ids`` (the importer adds them)."""

    @property
    def layers(self) -> tuple[SourceLayer, ...]:
        """The layers, bottom first."""

    def read_layer(self, index: int) -> AbstractContextManager[Read]:
        """The bytes of a layer as they are there (compressed or not), size and digest verified at the end."""

    def close(self) -> None:
        """Free what is open; further calls do nothing."""


class OutgoingLayer(msgspec.Struct, frozen=True, kw_only=True):
    """A layer on its way out: ``blob`` describes the bytes that ``read`` yields."""

    diff_id: str
    blob: Descriptor
    read: Callable[[], Iterator[bytes]]


class Outgoing(msgspec.Struct, frozen=True, kw_only=True):
    """An image on its way out, complete and verified.  ``is_oci`` chooses between OCI's media types and Docker's, which
    know neither zstd nor annotations."""

    config_bytes: bytes
    layers: tuple[OutgoingLayer, ...]
    names: tuple[Reference, ...]
    platform: Platform
    annotations: Annotations = Annotations()
    is_oci: bool = True
