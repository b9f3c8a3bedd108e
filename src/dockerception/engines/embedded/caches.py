"""Caches elsewhere as the engine uses them.  What they need is loaded only where some are given."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ...oci.config import ImageConfig
from ...progress import Reporter
from ...store.store import Store
from ..base import Settings
from .faces import Faces, StartSandbox
from .recorded import LostLayerError, Recorded
from .solved import SolvedLevel
from .steps import Steps

if TYPE_CHECKING:
    from .lazy_bases import LazyBases
    from .sharing.options import Target
    from .sharing.shared import SharedCaches


class Caches:
    """The caches of one build.  ``use`` says which they are; before that, and without any, nothing is found."""

    def __init__(self, store: Store, sandbox: StartSandbox, steps: Steps, report: Reporter) -> None:
        self._store = store
        self._sandbox = sandbox
        self._steps = steps
        self._report = report
        self._settings: Settings | None = None
        self._targets: tuple[Target, ...] = ()
        self._shared: SharedCaches | None = None
        self._lazy: LazyBases | None = None
        self._has_lost = False

    def use(self, settings: Settings) -> None:
        """Take the caches of a build, the same for all its levels.  Raises ``UsageError`` for what makes no sense."""
        if settings is self._settings:
            return
        self.close()
        self._settings, self._targets, self._has_lost = settings, (), False
        if not (settings.cache_from or settings.cache_to):
            return
        from .sharing.options import read_source, read_target

        self._targets = tuple(read_target(text) for text in settings.cache_to)
        sources = [read_source(text) for text in settings.cache_from]
        if sources:
            from .lazy_bases import LazyBases
            from .sharing.shared import SharedCaches

            self._shared = SharedCaches(
                sources, platform=settings.platform, store=self._store, steps=self._steps, report=self._report
            )
            self._lazy = LazyBases(self._store, self._steps, self._report)

    @property
    def lazy_bases(self) -> LazyBases | None:
        """What pulls bases without their layers, where a cache may spare them."""
        return self._lazy

    def recorded(self) -> Recorded:
        """The records of steps and stages, here and elsewhere."""
        return Recorded(self._store, self._shared, self._is_usable)

    def fetch(self, layer: str) -> None:
        """Bring a layer whose bytes are elsewhere into the store.  Raises ``LostLayerError`` where that can't be."""
        expected = self._store.layers.expected(layer)
        if expected is None or (self._shared is not None and self._shared.fetch(expected)):
            return
        if self._lazy is not None and self._lazy.fetch(expected):
            return
        self._has_lost = True
        raise LostLayerError(f"The layer {expected.diff_id} is in no cache.")

    def _is_usable(self, layer: str) -> bool:
        """Whether a layer is here; or was found in a cache, though perhaps not in this build: nobody may need it.

        Once somebody has needed one in vain, only what the caches of this build have counts.
        """
        if self._store.layers.find(layer) is not None:
            return True
        if self._store.layers.expected(layer) is None:
            return False
        return (
            not self._has_lost
            or (self._lazy is not None and self._lazy.has(layer))
            or (self._shared is not None and self._shared.promised(layer) is not None)
        )

    def fetch_context(self, key: str) -> bool:
        """See ``SharedCaches.fetch_context``."""
        if self._shared is None or self._settings is None:
            return False
        return self._shared.fetch_context(key, self._settings.stream_limits)

    def fill_mount(self, directory: str) -> None:
        """See ``SharedCaches.fill_mount``."""
        if self._shared is not None:
            self._shared.fill_mount(directory, self._sandbox)

    def size(self, layer: str) -> int:
        """The size of a layer's files in bytes, wherever they are."""
        return (self._store.layers.expected(layer) or self._store.layers.get(layer)).size

    def with_inline(self, config: ImageConfig, level: SolvedLevel, layers: Sequence[str], faces: Faces) -> ImageConfig:
        """The config of the last level, with its records where ``type=inline`` is wanted; ``layers`` are the image's,
        which may be rewritten ones."""
        if all(target.place is not None for target in self._targets):
            return config
        from .finish import layer_diff_ids
        from .sharing import inline

        return inline.embed(config, level.definition, level.state, layer_diff_ids(faces, layers))

    def export(self, levels: Sequence[SolvedLevel], contexts: Sequence[str], faces: Faces) -> None:
        """Write what was built to where ``--cache-to`` says; ``contexts`` are the keys of the builders' runs.

        Raises ``TransportError`` where that can't be, unless it may fail.
        """
        if self._settings is None:
            return
        self._has_lost = True  # what is exported must be to be had
        from .sharing.chain import ChainExport

        chain = ChainExport(
            self._store,
            faces,
            self._sandbox,
            recorded=self.recorded(),
            shared=self._shared,
            platform=self._settings.platform,
            report=self._report,
        )
        for target in self._targets:
            if target.place is not None:
                with self._steps.step(f"export the cache to {target.place.title}") as step:
                    chain.run(target, target.place, levels, contexts, step)

    def close(self) -> None:
        """Free what is open."""
        opened = (self._shared, self._lazy)
        self._shared = self._lazy = None
        for each in opened:
            if each is not None:
                each.close()
