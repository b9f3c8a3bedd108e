"""The loop over levels: build, emit, build from what was emitted, until a level has nothing to emit.

    level 0: the source directory and its Dockerfile  ->  an image, the builder
    emit:    the builder is run; its stdout is a tar, the next context
    level 1: that context and the Dockerfile in it    ->  an image, the runtime image

A Dockerfile can say so itself, by BUILD (docs/nested.md); an ordinary one has ``BUILD -`` at its end.  ``descent``
knows what comes next; here it is built.  ``finishing`` names it, when all has gone well.
"""

from __future__ import annotations

import msgspec

from .chain.checks import Checks
from .chain.descent import Descent, Upcoming
from .chain.earlier import EarlierLevels
from .chain.emitting import Emitted, Emitter
from .chain.finishing import Made, first_builder_name, name_builders
from .chain.sources import Sources
from .dockerfile.instructions import Build
from .dockerfile.nested import STDOUT
from .dockerfile.roots import has_roots
from .engines import capabilities
from .engines.base import Built, Engine, Level, Material, Settings
from .errors import DockerceptionError
from .progress import Reporter
from .reference import Platform
from .request import BuildRequest
from .store.store import Store


class Chain:
    """One build under way, for one platform.  ``build`` runs the whole chain, ``emit`` only up to the first context,
    ``assemble`` only what is written.  Chains for several platforms share ``sources`` and ``checks``."""

    def __init__(
        self,
        request: BuildRequest,
        settings: Settings,
        engine: Engine,
        store: Store,
        report: Reporter,
        *,
        sources: Sources | None = None,
        checks: Checks | None = None,
    ) -> None:
        self._request = request
        self._settings = settings
        self._engine = engine
        self._report = report
        self._checks = checks or Checks(request, store, report)
        self._descent = Descent(request, settings, sources or Sources(request, store, report))
        self._emitter = Emitter(request, settings, engine, store, report)
        # The command is for the builder that is run though nobody wrote so.
        written = msgspec.structs.replace(request, command=())
        self._written_emitter = Emitter(written, settings, engine, store, report)
        self._earlier = EarlierLevels(engine)
        first_builder_name(request.builder_tag, request.tags)  # before any work: it may be wrong
        capabilities.check(engine.capabilities, settings)
        self._builders: list[Built] = []
        self._contexts: list[str] = []
        self._has_run_builder = False

    @property
    def platform(self) -> Platform:
        """What it builds for."""
        return self._settings.platform

    def build(self) -> Made:
        """Levels until one emits nothing."""
        return self._made(self._last_level(implies_build=True))

    def assemble(self) -> Made:
        """As ``build``, but nothing is run as a builder that the Dockerfile does not name one."""
        return self._made(self._last_level(implies_build=False))

    def emit(self) -> Emitted:
        """The context that level 0 gives; the builder gets its name, if one is asked for."""
        level = self._descent.first(implies_build=True)
        _, emitted = self._emit(level, self._build_level(level))
        if self._request.cache_to:
            self._engine.export_cache(self._builders, self._contexts)
        name_builders([self._builders], self._request, self._engine, self._report)
        self._checks.after(is_cached=emitted.is_cached)
        return emitted

    def _last_level(self, *, implies_build: bool) -> Built:
        level = self._descent.first(implies_build=implies_build)
        built = self._build_level(level)
        while level.part.build is not None:
            level = self._descent.following(level, *self._emit(level, built))
            built = self._build_level(level)
        return built

    def _emit(self, level: Upcoming, built: Built) -> tuple[Build, Emitted]:
        """The context that a level gives, a directory or what it writes to stdout, and the BUILD that asks for it."""
        self._builders.append(built)
        build = self._descent.expanded(level, built)
        if build.directory != STDOUT:
            try:
                return build, self._emitter.directory(built, build.directory)
            except DockerceptionError as error:
                error.details = error.details or level.part.excerpt
                raise
        emitter = self._emitter if level.is_implied else self._written_emitter
        emitted = emitter.emit(built, is_anew=level.is_named_in(self._request.no_cache_filter))
        self._has_run_builder |= not emitted.is_cached
        self._contexts.append(emitted.key)
        return build, emitted

    def _build_level(self, upcoming: Upcoming) -> Built:
        self._checks.before(upcoming.part.document)
        level = Level(
            index=upcoming.index,
            place=self._request.place,
            dockerfile=upcoming.part.dockerfile,
            context=upcoming.context,
            target=upcoming.target,
            will_emit=upcoming.part.build is not None,
            settings=self._settings,
        )
        level = self._earlier.with_contexts(level)
        if not self._engine.capabilities.roots and has_roots(level.dockerfile):
            from .chain.root_checks import check_roots

            check_roots(self._engine, level)
        built = self._engine.build(level)
        self._earlier.add(level, built)
        return built

    def _made(self, last: Built) -> Made:
        levels = [*self._builders, last]
        return Made(
            platform=self._settings.platform,
            builders=tuple(self._builders),
            last=last,
            contexts=tuple(self._contexts),
            materials=tuple(each for built in levels for each in built.materials if self._is_outside(each)),
            is_cached=all(built.is_cached for built in levels) and not self._has_run_builder,
        )

    def _is_outside(self, material: Material) -> bool:
        return material.name not in self._earlier.names
