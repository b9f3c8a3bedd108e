"""Images from registries into the store."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING, Final

import msgspec

from ...progress import Reporter
from ...reference import Platform, Reference
from ...store.images import StoredImage
from ...store.store import Store
from . import origins
from .importing import import_image
from .origins import Came
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
        origins.remember_manifest(store, image, Came(data=source.manifest_bytes, media_type=source.manifest_type))
        origins.remember_layers(store, image, reference)
        return Pulled(image=image, digest=source.digest, was_here=was_here)
