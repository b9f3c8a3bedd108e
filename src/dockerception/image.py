"""An image as the Python API gives it: a value, and the few things that one does with an image."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence

import msgspec

from .chain.finishing import LevelSummary
from .engines.base import Exported
from .oci.config import ImageConfig
from .reference import Platform, Reference
from .store.images import StoredImage
from .store.store import Store


class LayerInfo(msgspec.Struct, frozen=True):
    """A layer: the digest of its uncompressed tar, and the size of its files in bytes."""

    diff_id: str
    size: int


class Image:
    """An image of the store.  The value does not change; methods that act open the store again.

    ``id`` is the digest of the image's config.  ``builders`` are the levels that this build went through before, and
    ``exported`` the manifests that its outputs have written (``push``, layouts).  ``platforms`` are the images of a
    build for several platforms, this one among them, by their platforms as ``--platform`` has them.
    """

    def __init__(
        self,
        stored: StoredImage,
        *,
        store: str,
        builders: Sequence[LevelSummary] = (),
        exported: Sequence[Exported] = (),
    ) -> None:
        self.id = stored.image
        self.builders = tuple(builders)
        self.exported = tuple(exported)
        self.platforms: Mapping[str, Image] = {str(stored.config.platform): self}
        self._stored = stored
        self._store = store

    def __repr__(self) -> str:
        return f"<Image {self.id}>"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Image) and other.id == self.id

    def __hash__(self) -> int:
        return hash(self.id)

    @property
    def config(self) -> ImageConfig:
        """The image's config (image-spec config.md)."""
        return self._stored.config

    @property
    def platform(self) -> Platform:
        """What the image runs on."""
        return self.config.platform

    @property
    def names(self) -> tuple[str, ...]:
        """The names that lead to the image now, as a person writes them."""
        with self._open() as store:
            return tuple(Reference.parse(name).familiar for name in store.images.names_of(self.id))

    @property
    def layers(self) -> tuple[LayerInfo, ...]:
        """The layers, bottom first."""
        with self._open() as store:
            found = [store.layers.get(layer) for layer in self._stored.layers]
        diff_ids = self.config.rootfs.diff_ids
        return tuple(LayerInfo(diff_id, layer.size) for diff_id, layer in zip(diff_ids, found, strict=True))

    @property
    def size(self) -> int:
        """The size of the files in all layers, in bytes, uncompressed."""
        return sum(layer.size for layer in self.layers)

    def tag(self, name: str) -> None:
        """Give the image one more name; another image that had it loses it."""
        with self._open() as store:
            store.images.name(store.images.get(self.id), Reference.to_give(name))

    def save(self, destination: str | os.PathLike[str], *, type: str = "docker") -> None:
        """Write the image to a file or directory; ``type`` is docker, oci, tar or local, as in ``--output``."""
        from .engines.base import Output, Result
        from .engines.embedded.engine import EmbeddedEngine

        with self._open() as store:
            engine = EmbeddedEngine(store)
            try:
                names = tuple(Reference.parse(name) for name in store.images.names_of(self.id))
                result = Result(image=self.id, size=0, names=names, layers=self._stored.layers)
                engine.export([result], Output(type=type, destination=os.fspath(destination)))
            finally:
                engine.close()

    def _open(self) -> Store:
        return Store(self._store)
