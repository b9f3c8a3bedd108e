"""One cache elsewhere, opened: its records by key, and its blobs.  Only its manifest and config have been read."""

from __future__ import annotations

from contextlib import AbstractContextManager

from ....errors import ImageError, ImageNotFoundError
from ....oci import manifest as manifests
from ....oci import media_types
from ....oci.manifest import Descriptor, Manifest
from ....reference import Platform
from ....transports.base import Read
from . import document as documents
from . import inline
from .document import Document, SharedLayer, SharedStage, SharedStep
from .options import Place
from .places import OpenPlace, open_place, read_small


class OpenedCache:
    """What a cache promises.  What turns out not to be there is forgotten, so that nobody asks again.

    A record whose layer or blob the manifest does not name is none.
    """

    def __init__(self, place: OpenPlace, manifest: Manifest, document: Document) -> None:
        self._place = place
        self._blobs = {blob.digest: blob for blob in manifest.layers if blob.media_type in media_types.LAYERS}
        self._layers = {layer.diff_id: layer for layer in document.layers if layer.blob in self._blobs}
        self._steps = {step.key: step for step in document.steps}
        self._stages = {stage.definition: stage for stage in document.stages}
        self._contexts = {context.key: context.blob for context in document.contexts if context.blob in self._blobs}
        self._mounts = {mount.name: mount.blob for mount in document.mounts if mount.blob in self._blobs}

    @property
    def title(self) -> str:
        """What messages call it."""
        return self._place.title

    @property
    def repository(self) -> str:
        """The name of the registry's repository; empty for a directory."""
        return self._place.repository

    def layer(self, diff_id: str) -> SharedLayer | None:
        """A layer that the cache has."""
        return self._layers.get(diff_id)

    def step(self, key: str) -> SharedStep | None:
        """A step whose layer the cache has."""
        step = self._steps.get(key)
        return step if step is not None and step.layer in self._layers else None

    def stage(self, definition: str) -> tuple[SharedStage, list[SharedStep]] | None:
        """A stage all of whose steps the cache has, and those."""
        stage = self._stages.get(definition)
        steps = [self.step(key) for key in stage.steps] if stage is not None else []
        known = [step for step in steps if step is not None]
        return (stage, known) if stage is not None and len(known) == len(steps) else None

    def context(self, key: str) -> str | None:
        """The blob of the context that a builder has emitted."""
        return self._contexts.get(key)

    def mount(self, name: str) -> str | None:
        """The blob of a cache mount."""
        return self._mounts.get(name)

    def descriptor(self, blob: str) -> Descriptor:
        """What the manifest says of a blob."""
        found = self._blobs[blob]
        return Descriptor(media_type=found.media_type, digest=found.digest, size=found.size)

    def open(self, blob: str) -> AbstractContextManager[Read]:
        """The bytes of a blob, verified.  Raises as ``places.OpenPlace``."""
        return self._place.open(self._blobs[blob])

    def forget(self, blob: str) -> None:
        """Promise nothing any more that this blob holds."""
        self._layers = {key: layer for key, layer in self._layers.items() if layer.blob != blob}
        self._contexts = {key: other for key, other in self._contexts.items() if other != blob}
        self._mounts = {key: other for key, other in self._mounts.items() if other != blob}

    def forget_all(self) -> None:
        """Promise nothing any more: the place does not answer."""
        self._layers, self._contexts, self._mounts = {}, {}, {}

    def close(self) -> None:
        """Free what is open."""
        self._place.close()


def open_cache(place: Place, platform: Platform) -> OpenedCache:
    """The cache that a place names, or that is in the image that it names.

    Raises ``ImageNotFoundError`` where there is none yet, ``ImageError`` for what is none, or of another version, and
    ``TransportError`` where the place does not answer.
    """
    opened = open_place(place, platform, writes=False)
    try:
        manifest = manifests.decode_manifest(opened.manifest())
        return OpenedCache(opened, manifest, _document(opened, manifest))
    except BaseException:
        opened.close()
        raise


def _document(place: OpenPlace, manifest: Manifest) -> Document:
    kind, size = manifest.config.media_type, manifest.config.size
    if kind not in (documents.MEDIA_TYPE, *inline.MEDIA_TYPES):
        raise ImageError(f"{place.title} is neither a cache of this version nor an image: its config is a {kind}.")
    if size > documents.LIMIT:
        raise ImageError(f"{place.title} has {size} bytes of records; more than {documents.LIMIT} are not accepted.")
    try:
        data = read_small(place, manifest.config)
    except ImageNotFoundError as error:  # there is a cache, without its records
        raise ImageError(error.message) from error
    if kind == documents.MEDIA_TYPE:
        return documents.decode(data, origin=place.title)
    return inline.read(data, manifest, origin=place.title)
