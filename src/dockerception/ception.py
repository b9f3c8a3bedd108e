"""The loop over levels: build, emit, build from what was emitted, until a level has nothing to emit.

    level 0: the source directory and its Dockerfile  ->  an image, the builder
    emit:    the builder is run; its stdout is a tar, the next context
    level 1: that context and the Dockerfile in it    ->  an image, the runtime image

Everything that is not one level's business is here: which option means which level, the emitted contexts' cache, and
what is named when all of it has gone well.
"""

from __future__ import annotations

import time

import msgspec

from .emitting import Emitted, Emitter
from .engines import capabilities
from .engines.base import Built, Engine, Exported, Level, Material, Result, Settings
from .errors import UsageError
from .progress import LevelFinished, Notice, Reporter
from .reference import Reference
from .request import BuildRequest
from .sources import Origin, Sources
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
    one level."""

    def __init__(
        self, request: BuildRequest, settings: Settings, engine: Engine, store: Store, report: Reporter
    ) -> None:
        self._request = request
        self._settings = settings
        self._engine = engine
        self._report = report
        self._sources = Sources(request, store, report)
        self._emitter = Emitter(request, settings, engine, store, report)
        self._builder_name = _first_builder_name(request.builder_tag, request.tags)
        self._started = time.monotonic()
        capabilities.check(engine.capabilities, settings)
        self._builders: list[Built] = []
        self._contexts: list[str] = []
        self._has_run_builder = False

    def build(self) -> Outcome:
        """Levels until one emits nothing; then its outputs are written, and when all are, it is named."""
        return self._finish(self._last_level(self._next_origin(self._builder(self._sources.first()))))

    def emit(self) -> Emitted:
        """The context that the builder emits; the builder gets its name, if one is asked for."""
        emitted = self._emit(self._builder(self._sources.first()))
        self._export_cache(self._builders)
        self._name_builders()
        return emitted

    def assemble(self) -> Outcome:
        """One image from a context, nothing run as a builder."""
        return self._finish(self._last_level(self._sources.first()))

    def _builder(self, origin: Origin) -> Built:
        built = self._build_level(0, origin, will_emit=True)
        self._builders.append(built)
        return built

    def _next_origin(self, built: Built) -> Origin:
        return self._sources.of_context(self._emit(built))

    def _emit(self, built: Built) -> Emitted:
        emitted = self._emitter.emit(built)
        self._has_run_builder |= not emitted.is_cached
        self._contexts.append(emitted.key)
        return emitted

    def _last_level(self, origin: Origin) -> Built:
        built = self._build_level(len(self._builders), origin, will_emit=False)
        self._check_build_args([*self._builders, built])
        return built

    def _build_level(self, index: int, origin: Origin, *, will_emit: bool) -> Built:
        level = Level(
            index=index,
            place=self._request.place,
            dockerfile=origin.dockerfile,
            context=origin.context,
            target=self._request.target if index == 0 else "",
            will_emit=will_emit,
            settings=self._settings,
        )
        return self._engine.build(level)

    def _check_build_args(self, levels: list[Built]) -> None:
        unused = frozenset.intersection(*(built.unused_build_args for built in levels))
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
        return Outcome(
            image=result,
            builders=tuple(builders),
            materials=tuple(sorted({material for built in all_levels for material in built.materials})),
            exported=tuple(exported),
            seconds=time.monotonic() - self._started,
            is_cached=all(built.is_cached for built in all_levels) and not self._has_run_builder,
        )

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
