"""Images of registries of which only manifest and config are read, until somebody needs a layer's bytes.

It is for builds that have a cache elsewhere: what a builder is built on stays away if the builder need not run.
"""

from __future__ import annotations

import threading
from functools import partial
from typing import TYPE_CHECKING

from ...errors import ImageError
from ...progress import Reporter, StepProgress
from ...reference import Platform, Reference
from ...store.images import StoredImage
from ...store.layers import Layer
from ...store.store import Store
from . import origins
from .layer_import import import_layer
from .origins import Came
from .steps import RunningStep, Steps

if TYPE_CHECKING:
    from ...transports.registry.pull import RegistryImage


class LazyBases:
    """Pulls images without their layers, and layers one by one.  Threads may share it; ``close`` it."""

    def __init__(self, store: Store, steps: Steps, report: Reporter) -> None:
        self._store = store
        self._steps = steps
        self._report = report
        self._lock = threading.Lock()
        self._opened: list[RegistryImage] = []
        self._sources: dict[str, tuple[RegistryImage, int]] = {}

    def pull(self, reference: Reference, *, platform: Platform, step: RunningStep) -> StoredImage:
        """The image of a name, under this name in the store; as ``pulling.pull`` otherwise.

        It is found there again when all its layers have come.
        """
        from ...transports.registry.pull import open_image

        source = open_image(reference, platform=platform)
        with self._lock:
            self._opened.append(source)
        expected = [
            self._store.layers.expect(layer.diff_id, layer.blob.size if layer.blob else 0).layer
            for layer in source.layers
        ]
        for index, layer in enumerate(expected):
            self._sources.setdefault(layer, (source, index))
        image = self._store.images.add(source.config_bytes, expected, (reference,))
        step.is_cached = self._store.layers.find_all(expected)
        origins.remember_manifest(self._store, image, Came(data=source.manifest_bytes, media_type=source.manifest_type))
        origins.remember_layers(self._store, image, reference)
        return image

    def has(self, layer: str) -> bool:
        """Whether it is a layer of an image that was pulled."""
        return layer in self._sources

    def fetch(self, layer: Layer) -> bool:
        """Bring a layer into the store; False if it is of none of the images.

        Raises ``ImageError`` and ``TransportError``: without a layer of its base nothing can be built.
        """
        found = self._sources.get(layer.layer)
        if found is None:
            return False
        source, index = found
        with self._steps.step(f"pull the layer {layer.diff_id[:19]}") as step, source.read_layer(index) as read:
            made = import_layer(
                self._store,
                source.layers[index],
                read,
                origin=f"Layer {index} of the image",
                advance=partial(self._advance, step, [0], layer.size),
                is_threaded=True,
            )
        if made.diff_id != layer.diff_id:
            raise ImageError(
                f"Layer {index} of the image has the diff_id {made.diff_id}, but its config says otherwise."
            )
        if made.layer != layer.layer:
            self._store.layers.share(layer.layer, made)
        return True

    def close(self) -> None:
        """Close all connections."""
        for source in self._opened:
            source.close()

    def _advance(self, step: RunningStep, done: list[int], total: int, count: int) -> None:
        before = done[0] >> 20
        done[0] += count
        if done[0] >> 20 != before:
            self._report(StepProgress(step=step.number, done_bytes=done[0], total_bytes=total))
