"""The loop over levels: build, emit, build from what was emitted, until a level has nothing to emit.

    level 0: the source directory and its Dockerfile  ->  an image, the builder
    emit:    the builder is run; its stdout is a tar, the next context
    level 1: that context and the Dockerfile in it    ->  an image, the runtime image

A Dockerfile can say so itself, by BUILD (docs/nested.md); an ordinary one has ``BUILD -`` at its end.  ``descent``
knows what comes next; here it is built, and named when all of it has gone well.
"""

from __future__ import annotations

import time

import msgspec

from .chain.descent import Descent, Upcoming
from .chain.earlier import EarlierLevels
from .chain.emitting import Emitted, Emitter
from .chain.sources import Sources
from .dockerfile.instructions import Build
from .dockerfile.nested import STDOUT
from .dockerfile.parser import Document
from .dockerfile.roots import has_roots
from .dockerfile.stages import CHECK_VARIABLE
from .engines import capabilities
from .engines.base import Built, Engine, Exported, Level, Material, Result, Settings
from .errors import DockerceptionError, UsageError
from .progress import LevelFinished, Notice, Reporter
from .reference import Reference
from .request import BuildRequest
from .store.store import Store


class LevelSummary(msgspec.Struct, frozen=True, kw_only=True):
    """A level that was a builder: its key, its size in bytes (as far as known without work), and its image if named."""

    level: int
    key: str
    size: int
    is_cached: bool
    image: str = ""


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What a build came to: the last image, the builders before it, what came from outside, and the manifests that its
    outputs have written."""

    image: Result
    builders: tuple[LevelSummary, ...]
    materials: tuple[Material, ...]
    exported: tuple[Exported, ...] = ()
    seconds: float
    is_cached: bool


class Chain:
    """One build under way.  ``build`` runs the whole chain, ``emit`` only up to the first context, ``assemble`` only
    what is written."""

    def __init__(
        self, request: BuildRequest, settings: Settings, engine: Engine, store: Store, report: Reporter
    ) -> None:
        self._request = request
        self._settings = settings
        self._engine = engine
        self._store = store
        self._report = report
        self._documents: list[Document] = []
        self._descent = Descent(request, settings, Sources(request, store, report))
        self._emitter = Emitter(request, settings, engine, store, report)
        # The command is for the builder that is run though nobody wrote so.
        written = msgspec.structs.replace(request, command=())
        self._written_emitter = Emitter(written, settings, engine, store, report)
        self._earlier = EarlierLevels(engine)
        self._builder_name = _first_builder_name(request.builder_tag, request.tags)
        self._started = time.monotonic()
        capabilities.check(engine.capabilities, settings)
        self._builders: list[Built] = []
        self._contexts: list[str] = []
        self._has_run_builder = False

    def build(self) -> Outcome:
        """Levels until one emits nothing; then its outputs are written, and when all are, it is named."""
        return self._finish(self._last_level(implies_build=True))

    def assemble(self) -> Outcome:
        """As ``build``, but nothing is run as a builder that the Dockerfile does not name one."""
        return self._finish(self._last_level(implies_build=False))

    def emit(self) -> Emitted:
        """The context that level 0 gives; the builder gets its name, if one is asked for."""
        level = self._descent.first(implies_build=True)
        _, emitted = self._emit(level, self._build_level(level))
        self._export_cache(self._builders)
        self._name_builders()
        self._warn(is_cached=emitted.is_cached)
        return emitted

    def _last_level(self, *, implies_build: bool) -> Built:
        level = self._descent.first(implies_build=implies_build)
        built = self._build_level(level)
        while level.part.build is not None:
            level = self._descent.following(level, *self._emit(level, built))
            built = self._build_level(level)
        self._check_build_args([*self._builders, built])
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
        emitted = (self._emitter if level.is_implied else self._written_emitter).emit(built)
        self._has_run_builder |= not emitted.is_cached
        self._contexts.append(emitted.key)
        return build, emitted

    def _build_level(self, upcoming: Upcoming) -> Built:
        self._check(upcoming.part.document)
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

    def _check(self, document: Document) -> None:
        """Build checks whose findings are errors come before work; the others are told at the end."""
        if any(document is known for known in self._documents):
            return
        self._documents.append(document)
        if "error" in document.directives.check or CHECK_VARIABLE in self._request.build_args:
            from .chain import checking

            checking.refuse(document, self._request, self._store)

    def _warn(self, *, is_cached: bool) -> None:
        """Tell what build checks have found, but where nothing had to be done: that build has told it before."""
        if not is_cached:
            from .chain import checking

            checking.warn(self._documents, self._request, self._store, self._report)

    def _check_build_args(self, levels: list[Built]) -> None:
        unused = frozenset.intersection(*(built.unused_build_args for built in levels)) - {CHECK_VARIABLE}
        if unused:
            names = ", ".join(sorted(unused))
            self._report(Notice(text=f"No ARG of any level declares the build argument {names}.", severity="warning"))

    def _finish(self, last: Built) -> Outcome:
        request = self._request
        # Names come last: a build whose output fails has named nothing.
        result = msgspec.structs.replace(self._engine.publish(last, (), request.labels), names=request.tags)
        exported = [each for output in request.outputs for each in self._engine.export(result, output)]
        self._export_cache([*self._builders, last])
        builders = self._name_builders()
        if request.tags:
            self._engine.publish(last, request.tags, request.labels)
        self._report(
            LevelFinished(level=last.level, image=result.image, size=result.size, is_last=True, cached=last.is_cached)
        )
        all_levels = [*self._builders, last]
        is_cached = all(built.is_cached for built in all_levels) and not self._has_run_builder
        self._warn(is_cached=is_cached)
        return Outcome(
            image=result,
            builders=tuple(builders),
            materials=tuple(
                sorted({each for built in all_levels for each in built.materials if self._is_outside(each)})
            ),
            exported=tuple(exported),
            seconds=time.monotonic() - self._started,
            is_cached=is_cached,
        )

    def _is_outside(self, material: Material) -> bool:
        return material.name not in self._earlier.names

    def _export_cache(self, levels: list[Built]) -> None:
        if self._settings.cache_to:
            self._engine.export_cache(levels, self._contexts)

    def _name_builders(self) -> list[LevelSummary]:
        """Report the builders, named if that is wanted: NAME, then NAME-1, …"""
        return [self._summary(built) for built in self._builders]

    def _summary(self, built: Built) -> LevelSummary:
        name = self._builder_name
        if name is not None and built.level > 0:
            name = msgspec.structs.replace(name, tag=f"{name.tag}-{built.level}")
        image = self._engine.publish(built, (name,), {}).image if name is not None else ""
        size = self._engine.size(built)
        self._report(LevelFinished(level=built.level, image=image, size=size, is_last=False, cached=built.is_cached))
        return LevelSummary(level=built.level, key=built.key, size=size, is_cached=built.is_cached, image=image)


def _first_builder_name(wanted: str | None, tags: tuple[Reference, ...]) -> Reference | None:
    """The name that ``--builder-tag`` gives to level 0; bare, it is made from the first tag."""
    if wanted is None:
        return None
    if wanted:
        return Reference.to_give(wanted)
    if not tags:
        raise UsageError(
            "--builder-tag without a name makes one from the first -t, but there is none.", hint="add -t NAME"
        )
    return msgspec.structs.replace(tags[0], path=f"{tags[0].path}-builder", digest=None)
