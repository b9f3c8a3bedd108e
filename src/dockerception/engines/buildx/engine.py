"""The engine of a builder of buildx: the parts of this room put together behind the ``Engine`` protocol."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from typing import Final, Protocol

import msgspec

from ...context.base import Context
from ...dockerfile.stages import Stage, find_stage
from ...progress import Notice
from ...reference import Reference
from ...store.store import Store
from ..base import Built, Capabilities, EmitRequest, Exported, Level, Output, Result, Settings
from ..daemon.building import BuildOrder
from ..daemon.references import Outside
from ..emission import BuilderLog, PipeEmission
from .contexts import Contexts
from .emission import SolveContainer, SolveEmission
from .emit_progress import EmitProgress
from .emit_stages import CONTENTS, EMIT, LEVEL, directory_dockerfile, emit_dockerfile
from .helpers import Helper, find_helper
from .known import Known, definition_key, evaluate
from .solving import Prepared, Solvable, Solving, order, prepare

_OUTPUT: Final = "--output=type=tar,dest=-"


class Levels(Protocol):
    """Builds whole images of levels and gives them out; each method as ``engines.base.Engine`` has it."""

    def build(self, level: Level) -> Built:
        """Build one level."""

    def directory(self, built: Built, path: str) -> Context:
        """What is in a directory of the image."""

    def publish(self, built: Built, labels: Mapping[str, str]) -> Result:
        """Give the image labels."""

    def name(self, results: Sequence[Result], names: Sequence[Reference]) -> None:
        """Give images names."""

    def size(self, built: Built) -> int:
        """The size of a built level."""

    def export(self, results: Sequence[Result], output: Output) -> tuple[Exported, ...]:
        """Write published images to where an output says."""

    def close(self) -> None:
        """End whatever was started."""


class _Builder(msgspec.Struct, frozen=True):
    """A level that is going to run as a builder: nothing of it is built before that."""

    prepared: Prepared
    known: Known


class BuildxEngine:
    """Builds and runs on a builder of buildx.  See ``engines.base.Engine``; not for several threads at once.

    A level that emits is built by the solve that runs it; so it has no image, and no known size, unless it gets a name.
    """

    def __init__(
        self,
        solving: Solving,
        levels: Levels,
        new_contexts: Callable[[Settings], Contexts],
        store: Store,
        *,
        helper: str,
        capabilities: Capabilities,
    ) -> None:
        self.capabilities = capabilities
        self._solving = solving
        self._levels = levels
        self._new_contexts = new_contexts
        self._store = store
        self._helper = helper
        # By the keys of levels: several chains, one a platform, may have a level of one number.
        self._images: dict[str, Built] = {}
        self._emitted: set[str] = set()
        self._has_said_late = False

    def build(self, level: Level) -> Built:
        if not level.will_emit:
            return self._levels.build(level)
        contexts = self._new_contexts(level.settings)
        prepared = prepare(level, contexts)
        known = evaluate(level, contexts)
        return Built(
            level=level.index,
            key=definition_key(level, prepared.references.outside, contexts),
            config=known.image_config(level.settings),
            is_cached=True,  # nothing has been done yet; ``emit`` does it, unless its result is known
            materials=tuple(contexts.materials),
            unused_build_args=prepared.references.unused_build_args,
            handle=_Builder(prepared, known),
        )

    def emit(self, built: Built, request: EmitRequest, step: int) -> SolveEmission:
        builder = _builder(built)
        command = builder.known.command(request.command)
        self._say_late()
        with ExitStack() as opened:
            work = opened.enter_context(tempfile.TemporaryDirectory(prefix="emit-", dir=self._store.scratch))
            helper = find_helper(self._helper, builder.known.platform)
            more = [Outside(name=helper.image, is_base=True)] if helper.image else []
            solvable = opened.enter_context(self._solving.solvable(builder.prepared, work, more))
            text, options = _emit_text(solvable, builder, command, helper, work)
            call = self._solving.command(solvable, _emit_order(builder, text), work, *options, _OUTPUT)
            level = self._solving.progress(solvable, {_label(_emitting(builder)): LEVEL})
            log = BuilderLog(self._solving.report, step)
            container = SolveContainer(
                call,
                progress=EmitProgress(level, log, self._solving.report, step),
                log=log,
                failure=lambda words: self._solving.failure(words, level),
                resources=opened.pop_all(),
            )
        self._emitted.add(built.key)
        pipe = PipeEmission(
            container,
            container.stdout,
            log,
            command=" ".join(command),
            timeout=request.timeout,
            config=built.config.config,
        )
        return SolveEmission(container, pipe)

    def directory(self, built: Built, path: str) -> Context:
        """Only the directory leaves the builder: as an image that has nothing else."""
        level = _builder(built).prepared.level
        settings = level.settings
        if built.key in self._emitted:
            settings = msgspec.structs.replace(settings, no_cache=False, no_cache_filter=frozenset())
        dockerfile = directory_dockerfile(level.dockerfile, level.target, path)
        wanted = msgspec.structs.replace(level, dockerfile=dockerfile, target="", will_emit=False, settings=settings)
        copied = self._levels.build(wanted)
        self._emitted.add(built.key)
        return self._levels.directory(copied, CONTENTS)

    def publish(self, built: Built, labels: Mapping[str, str]) -> Result:
        return self._levels.publish(self._whole(built), labels)

    def name(self, results: Sequence[Result], names: Sequence[Reference]) -> None:
        self._levels.name(results, names)

    def size(self, built: Built) -> int:
        whole = self._images.get(built.key) if isinstance(built.handle, _Builder) else built
        return self._levels.size(whole) if whole is not None else 0

    def export(self, results: Sequence[Result], output: Output) -> tuple[Exported, ...]:
        return self._levels.export(results, output)

    def fetch_context(self, key: str) -> bool:
        return False  # a context that is known elsewhere comes out of the solve that would make it

    def export_cache(self, levels: Sequence[Built], contexts: Sequence[str]) -> None:
        """Each solve has written its caches already (see ``caches``)."""

    def close(self) -> None:
        self._levels.close()

    def _whole(self, built: Built) -> Built:
        """The level with an image of its own; what the builder did for the emission is in its cache."""
        if not isinstance(built.handle, _Builder):
            return built
        if built.key not in self._images:
            level = built.handle.prepared.level
            if built.key in self._emitted:
                settings = msgspec.structs.replace(level.settings, no_cache=False, no_cache_filter=frozenset())
                level = msgspec.structs.replace(level, settings=settings)
            self._images[built.key] = self._levels.build(level)
        return self._images[built.key]

    def _say_late(self) -> None:
        if not self._has_said_late:
            self._has_said_late = True
            name = self._solving.builder.name
            self._solving.report(
                Notice(text=f"The builder “{name}” hands the context over when its container has ended, not before.")
            )


def _emit_text(
    solvable: Solvable, builder: _Builder, command: tuple[str, ...], helper: Helper, work: str
) -> tuple[bytes, tuple[str, ...]]:
    """The Dockerfile that runs the builder, and the options that its helper needs."""
    image = solvable.brought.names.get(helper.image, helper.image)
    options: tuple[str, ...] = ()
    if helper.file:
        image, options = builder.prepared.contexts.bring_helper(helper.file, work)
    target = builder.prepared.level.target
    own = builder.known.platform
    platform = "" if own == builder.prepared.level.settings.platform else str(own)
    hidden = builder.known.arguments
    return emit_dockerfile(solvable.text, target, command, image, platform=platform, hidden=hidden), options


def _emit_order(builder: _Builder, text: bytes) -> BuildOrder:
    build = order(builder.prepared, text)
    own = _emitting(builder).name
    stages = {LEVEL if name.lower() == own else name for name in build.no_cache_stages}
    if "emit" in builder.prepared.level.settings.no_cache_filter:
        stages.add(EMIT)
    return msgspec.structs.replace(build, target="", no_cache_stages=frozenset(stages))


def _emitting(builder: _Builder) -> Stage:
    """The stage whose image is run."""
    level = builder.prepared.level
    return find_stage(level.dockerfile, level.target) if level.target else level.dockerfile.stages[-1]


def _label(stage: Stage) -> str:
    """What BuildKit calls a stage, where we do not name it."""
    return stage.name or f"stage-{stage.index}"


def _builder(built: Built) -> _Builder:
    if not isinstance(built.handle, _Builder):
        raise TypeError("this level was not built to be run")
    return built.handle
