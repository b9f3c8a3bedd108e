"""Images from registries into the store, and what is remembered of how they came: the manifest, byte for byte."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING, Final

import msgspec

from ...progress import Reporter
from ...reference import Digest, Platform, Reference
from ...store.images import StoredImage
from ...store.records import Record
from ...store.store import Store
from . import keys
from .importing import import_image
from .steps import RunningStep

if TYPE_CHECKING:
    from ...transports.registry.session import Registries

THREADS: Final = 3
"""How many layers go over the network at a time, as with Docker."""


class Pulled(msgspec.Struct, frozen=True, kw_only=True):
    """A pulled image; ``digest`` is what its name leads to in the registry, ``was_here`` if nothing had to be read."""

    image: StoredImage
    digest: str
    was_here: bool


class Origin(msgspec.Struct, frozen=True, kw_only=True):
    """How an image came: its manifest, and the repositories (``registry/path``) that have its blobs."""

    media_type: str
    manifest: bytes
    repositories: tuple[str, ...]


def pull(
    store: Store,
    reference: Reference,
    *,
    platform: Platform,
    report: Reporter,
    step: RunningStep,
    registries: Registries | None = None,
) -> Pulled:
    """Bring the image of a name for a platform into the store, under this name.  Layers are kept as they come.

    Raises ``ImageNotFoundError`` and ``ImageError`` as the registry transport does; then nothing has a name.
    """
    from ...transports.registry.pull import open_image

    with closing(open_image(reference, platform=platform, registries=registries)) as source:
        image = store.images.find_id(source.identity)
        was_here = image is not None
        if image is None:
            image = import_image(store, source, names=(reference,), report=report, step=step.number, threads=THREADS)
        else:
            store.images.name(image, reference)
        step.is_cached = was_here
        came = Origin(
            media_type=source.manifest_type, manifest=source.manifest_bytes, repositories=(reference.repository,)
        )
        _remember(store, image, came)
        return Pulled(image=image, digest=source.digest, was_here=was_here)


def find_origin(store: Store, image: StoredImage) -> Origin | None:
    """How an image came to the store; None if it was not pulled."""
    value = store.records.get(_key(image))
    return None if value is None else msgspec.msgpack.decode(value, type=Origin)


def resolved(reference: Reference, digest: str) -> str:
    """The name with the digest that it leads to: what a digest pins it to."""
    return str(msgspec.structs.replace(reference, tag="", digest=Digest.parse(digest)))


def _remember(store: Store, image: StoredImage, came: Origin) -> None:
    before = find_origin(store, image)
    if before is not None:
        repositories = tuple(sorted({*before.repositories, *came.repositories}))
        came = msgspec.structs.replace(came, repositories=repositories)
    if came != before:
        store.records.put([Record(_key(image), msgspec.msgpack.encode(came), (f"image:{image.image}",))])


def _key(image: StoredImage) -> str:
    return keys.derive("origin", (("image", image.image),))
