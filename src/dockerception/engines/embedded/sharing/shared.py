"""The caches of one build (``--cache-from``): what they promise, and its bytes when somebody needs them.

They are opened at the first thing that is not known here, so that a build in which nothing changed asks nobody.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Sequence
from functools import partial
from typing import Final

from ....errors import ContextError, DockerceptionError, ImageError, ImageNotFoundError, TransportError
from ....oci.stream_limits import Limits
from ....progress import Notice, Reporter, StepProgress
from ....reference import Platform
from ....store.layers import Layer
from ....store.store import Store
from ....transports.base import SourceLayer
from .. import origins
from ..faces import StartSandbox
from ..layer_import import import_layer
from ..recorded import LayerRecord
from ..steps import RunningStep, Steps
from ..values import StageState
from . import contexts, mounts
from .document import SharedLayer
from .opened import OpenedCache, open_cache
from .options import Place

_REPORT_BYTES: Final = 1 << 20


class SharedCaches:
    """See ``recorded.Elsewhere``.  Of several caches the first that has something counts.  Threads may share it.

    What is wrong with a cache, or not to be had from it, is a warning, and then it promises that no more.
    """

    def __init__(
        self, places: Sequence[Place], *, platform: Platform, store: Store, steps: Steps, report: Reporter
    ) -> None:
        self._places = places
        self._platform = platform
        self._store = store
        self._steps = steps
        self._report = report
        self._lock = threading.Lock()
        self._opened: list[OpenedCache] | None = None

    def caches(self) -> list[OpenedCache]:
        """The caches, opened now if that has not been done; those that can't be are left out."""
        with self._lock:
            if self._opened is None:
                self._opened = [cache for place in self._places if (cache := self._open(place)) is not None]
            return self._opened

    def layer(self, key: str) -> LayerRecord | None:
        for cache in self.caches():
            step = cache.step(key)
            if step is not None:
                return LayerRecord(self._expect(cache, step.layer), step.created)
        return None

    def stage(self, definition: str, below: tuple[str, ...], count: int) -> StageState | None:
        for cache in self.caches():
            found = cache.stage(definition)
            if found is None or len(found[1]) != count:
                continue
            stage, steps = found
            return StageState(
                key=stage.content,
                layers=(*below, *(self._expect(cache, step.layer) for step in steps)),
                created=tuple(step.created for step in steps),
                steps=stage.steps,
            )
        return None

    def fetch(self, layer: Layer) -> bool:
        """Bring an expected layer into the store; returns whether a cache still has it."""
        for cache in self.caches():
            promised = cache.layer(layer.diff_id)
            if promised is None:
                continue
            download = partial(self._download, cache, promised, layer.layer)
            if self._try(cache, promised.blob, f"the layer {layer.diff_id[:19]}", download):
                return True
        return False

    def promised(self, layer: str) -> tuple[OpenedCache, SharedLayer] | None:
        """Where an expected layer is."""
        expected = self._store.layers.expected(layer)
        if expected is None:
            return None
        found = ((cache, cache.layer(expected.diff_id)) for cache in self.caches())
        return next(((cache, promised) for cache, promised in found if promised is not None), None)

    def fetch_context(self, key: str, limits: Limits) -> bool:
        """Bring the context that a builder has emitted into the store, if a cache has it."""
        for cache in self.caches():
            blob = cache.context(key)
            if blob is None:
                continue
            fetch = partial(contexts.fetch, self._store, cache, key, blob, limits=limits)
            if self._try(cache, blob, "the context", fetch):
                return True
        return False

    def fill_mount(self, directory: str, sandbox: StartSandbox) -> None:
        """Make a cache mount that is not here yet, if a cache has it."""
        name = os.path.basename(directory)
        for cache in self.caches():
            blob = cache.mount(name)
            if blob is None:
                continue
            fetch = partial(mounts.fetch, self._store, sandbox, directory, cache, blob)
            if self._try(cache, blob, "a cache mount", fetch):
                return

    def close(self) -> None:
        """Free what is open."""
        for cache in self._opened or ():
            cache.close()

    def _open(self, place: Place) -> OpenedCache | None:
        with self._steps.step(f"open the cache {place.title}"):
            try:
                return open_cache(place, self._platform)
            except ImageNotFoundError:
                self._report(Notice(text=f"There is no cache {place.title} yet."))
            except DockerceptionError as error:
                self._warn(f"The cache {place.title} is not used: {error.message}")
        return None

    def _expect(self, cache: OpenedCache, diff_id: str) -> str:
        """The id in the store of a layer that a cache has."""
        promised = cache.layer(diff_id)
        return self._store.layers.expect(diff_id, promised.size if promised is not None else 0).layer

    def _try(self, cache: OpenedCache, blob: str, what: str, fetch: Callable[[RunningStep], None]) -> bool:
        """Fetch something in a step of its own; returns whether it came."""
        with self._steps.step(f"fetch {what} from {cache.title}") as step:
            try:
                fetch(step)
            except (ImageError, ContextError) as error:
                if isinstance(error, TransportError):
                    cache.forget_all()
                    self._warn(f"The cache {cache.title} is not used any more: {error.message}")
                else:
                    cache.forget(blob)
                    self._warn(f"The cache {cache.title} lacks {what}: {error.message}")
                return False
        return True

    def _download(self, cache: OpenedCache, promised: SharedLayer, layer: str, step: RunningStep) -> None:
        """Bring a layer into the store, under the id that it has there already."""
        blob = cache.descriptor(promised.blob)
        done = 0

        def advance(count: int) -> None:
            nonlocal done
            before, done = done, done + count
            if before // _REPORT_BYTES != done // _REPORT_BYTES:
                self._report(StepProgress(step=step.number, done_bytes=done, total_bytes=blob.size))

        source = SourceLayer(diff_id=promised.diff_id, blob=blob)
        with cache.open(promised.blob) as read:
            made = import_layer(self._store, source, read, origin="The layer", advance=advance, is_threaded=True)
        if made.diff_id != promised.diff_id:
            raise ImageError(f"The layer {promised.diff_id} is {made.diff_id} there.")
        if made.layer != layer:
            self._store.layers.share(layer, made)
        if cache.repository:  # a push to that registry need not send it
            origins.remember(self._store, {promised.diff_id: layer}, cache.repository)

    def _warn(self, text: str) -> None:
        self._report(Notice(text=text, severity="warning"))
