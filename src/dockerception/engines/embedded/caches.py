"""Caches elsewhere as the engine uses them.  What they need is loaded only where some are given."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ...oci.config import ImageConfig
from ...progress import Reporter
from ...store.store import Store
from ..base import Settings
from .faces import Faces, StartSandbox
from .recorded import Recorded
from .solved import SolvedLevel
from .steps import Steps

if TYPE_CHECKING:
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

    def use(self, settings: Settings) -> None:
        """Take the caches of a build, the same for all its levels.  Raises ``UsageError`` for what makes no sense."""
        if settings is self._settings:
            return
        self.close()
        self._settings, self._targets = settings, ()
        if not (settings.cache_from or settings.cache_to):
            return
        from .sharing.options import read_source, read_target

        self._targets = tuple(read_target(text) for text in settings.cache_to)
        sources = [read_source(text) for text in settings.cache_from]
        if sources:
            from .sharing.shared import SharedCaches

            self._shared = SharedCaches(
                sources, platform=settings.platform, store=self._store, steps=self._steps, report=self._report
            )

    def recorded(self) -> Recorded:
        """The records of steps and stages, here and elsewhere."""
        return Recorded(self._store, self._shared)

    def fetch(self, layer: str) -> None:
        """See ``SharedCaches.fetch``."""
        if self._shared is not None:
            self._shared.fetch(layer)

    def fetch_context(self, key: str) -> bool:
        """See ``SharedCaches.fetch_context``."""
        limit = self._settings.max_context if self._settings is not None else 0
        return self._shared is not None and self._shared.fetch_context(key, max_bytes=limit)

    def fill_mount(self, directory: str) -> None:
        """See ``SharedCaches.fill_mount``."""
        if self._shared is not None:
            self._shared.fill_mount(directory, self._sandbox)

    def size(self, layer: str) -> int:
        """The size of a layer's files in bytes, wherever they are."""
        expected = self._shared.expected_size(layer) if self._shared is not None else None
        return expected if expected is not None else self._store.layers.get(layer).size

    def with_inline(self, config: ImageConfig, level: SolvedLevel, faces: Faces) -> ImageConfig:
        """The config of the last level, with its records where ``type=inline`` is wanted."""
        if all(target.place is not None for target in self._targets):
            return config
        from .finish import layer_diff_ids
        from .sharing import inline

        return inline.embed(config, level.definition, level.state, layer_diff_ids(faces, level.state.layers))

    def export(self, levels: Sequence[SolvedLevel], contexts: Sequence[str], faces: Faces) -> None:
        """Write what was built to where ``--cache-to`` says; ``contexts`` are the keys of the builders' runs.

        Raises ``TransportError`` where that can't be, unless it may fail.
        """
        if self._settings is None:
            return
        from .sharing.chain import ChainExport

        chain = ChainExport(
            self._store,
            faces,
            self._sandbox,
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
        shared, self._shared = self._shared, None
        if shared is not None:
            shared.close()
