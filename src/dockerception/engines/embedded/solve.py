"""From evaluated stages to built ones: names first, work second.

A stage has a *definition key*, made of its text and of the definition keys of the stages that it reads; it is looked up
first, so that a build in which nothing changed touches nothing.  On a miss the stage goes step by step with *content
keys*, made of what the steps really read; so a program that comes out the same skips everything after it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence

import msgspec

from ...context import select
from ...context.base import Context
from ...dockerfile import instructions as ins
from ...dockerfile.stages import Stage
from ...errors import DockerceptionError
from ...store.layers import Layer
from ...store.records import Record
from ...store.store import Store
from ..base import Level
from . import keys
from .bases import Bases
from .copying import Source, find_sources
from .evaluate import Evaluator
from .execute import Executor, add_excerpt
from .faces import Faces
from .keys import Parts
from .steps import StepLog
from .values import Evaluated, StageState, Step

_encode = msgspec.msgpack.Encoder().encode
_decode_state = msgspec.msgpack.Decoder(StageState).decode


class _LayerRecord(msgspec.Struct, frozen=True, array_like=True):
    """What a content key stands for."""

    layer: str
    created: int


_decode_layer = msgspec.msgpack.Decoder(_LayerRecord).decode


class Solver:
    """Builds the stages of one level, each at most once; stages that do not read each other at the same time."""

    def __init__(
        self,
        level: Level,
        evaluator: Evaluator,
        bases: Bases,
        *,
        store: Store,
        faces: Faces,
        executor: Executor,
        steps: StepLog,
    ) -> None:
        self._level = level
        self._evaluator = evaluator
        self._bases = bases
        self._store = store
        self._faces = faces
        self._executor = executor
        self._steps = steps
        self._lock = threading.Lock()
        self._pending: dict[int, _Pending] = {}
        self._definitions: dict[int, str] = {}
        self._sources: dict[tuple[int, int], tuple[list[Source], tuple[tuple[str, object], ...]]] = {}

    def solve(self, index: int) -> StageState:
        """The built stage.  Raises whatever its building, or that of a stage that it reads, raised."""
        return self._start(index, in_thread=False).result()

    def join(self) -> None:
        """Wait until no thread of this solver works any more; to be called when everything is cancelled or done."""
        for pending in list(self._pending.values()):
            pending.join()

    def _start(self, index: int, *, in_thread: bool) -> _Pending:
        with self._lock:
            pending = self._pending.get(index)
            if pending is not None:
                return pending
            pending = self._pending[index] = _Pending(lambda: self._solve(self._evaluator.stage(index)))
        pending.start(in_thread=in_thread)
        return pending

    def _solve(self, stage: Evaluated) -> StageState:
        definition = self._definition(stage)
        if not self._skips_cache(stage):
            state = self._recorded_stage(definition)
            if state is not None:
                self._report_cached(stage)
                return state
        for index in self._stages_read(stage):
            self._start(index, in_thread=True)
        if stage.base.stage is not None:
            below = self._start(stage.base.stage.stage.index, in_thread=False).result()
        else:
            image = stage.base.image
            below = StageState(
                key=keys.derive("base", (("image", stage.base.identity),)), layers=image.layers if image else ()
            )
        state = self._build(stage, below)
        self._store.records.put([Record(definition, _encode(state), tuple(f"layer:{layer}" for layer in state.layers))])
        return state

    def _build(self, stage: Evaluated, below: StageState) -> StageState:
        key, layers, created = below.key, list(below.layers), list(below.created)
        is_cached = True
        total = 1 + sum(step.makes_layer for step in stage.steps)
        number = 1
        for position, step in enumerate(stage.steps):
            if not step.makes_layer:
                continue
            number += 1
            name = f"[{stage.label} {number}/{total}] {step.text}"
            parts = (("below", key), *self._content_parts(stage, position, step))
            key = keys.derive(type(step.instruction).__name__.lower(), parts)
            record = None if self._skips_cache(stage) else self._recorded_layer(key)
            with self._steps.step(name, level=self._level.index) as running:
                running.is_cached = record is not None
                if record is None:
                    is_cached = False
                    layer = self._executor.execute(
                        step,
                        stack=layers,
                        sources=self._sources.get((stage.stage.index, position), ([], ()))[0],
                        wants_tree=self._wants_tree(stage, position),
                        step_number=running.number,
                    )
                    record = self._keep(key, parts, layer)
            layers.append(record.layer)
            created.append(record.created)
        return StageState(key=key, layers=tuple(layers), created=tuple(created), is_cached=is_cached)

    def _keep(self, key: str, parts: Parts, layer: Layer) -> _LayerRecord:
        record = _LayerRecord(layer.layer, self._level.settings.epoch)
        self._store.records.put([Record(key, _encode(record), (f"layer:{layer.layer}",), keys.encode_parts(parts))])
        return record

    def _recorded_layer(self, key: str) -> _LayerRecord | None:
        value = self._store.records.get(key)
        if value is None:
            return None
        record = _decode_layer(value)
        return record if self._store.layers.find(record.layer) is not None else None

    def _recorded_stage(self, definition: str) -> StageState | None:
        value = self._store.records.get(definition)
        if value is None:
            return None
        state = _decode_state(value)
        if not self._store.layers.find_all(state.layers):
            return None
        return msgspec.structs.replace(state, is_cached=True)

    def _report_cached(self, stage: Evaluated) -> None:
        total = 1 + sum(step.makes_layer for step in stage.steps)
        layer_steps = (step for step in stage.steps if step.makes_layer)
        for number, step in enumerate(layer_steps, 2):
            self._steps.cached(f"[{stage.label} {number}/{total}] {step.text}", level=self._level.index)

    def _skips_cache(self, stage: Evaluated) -> bool:
        """Whether ``--no-cache`` or ``--no-cache-filter`` means this stage, or one that it is built on or reads."""
        settings = self._level.settings
        if settings.no_cache or f"level:{self._level.index}" in settings.no_cache_filter:
            return True
        if stage.stage.name in settings.no_cache_filter or str(stage.stage.index) in settings.no_cache_filter:
            return True
        read = [self._evaluator.stage(index) for index in self._stages_read(stage)]
        if stage.base.stage is not None:
            read.append(stage.base.stage)
        return any(self._skips_cache(other) for other in read)

    def _definition(self, stage: Evaluated) -> str:
        """The stage's definition key."""
        index = stage.stage.index
        if index not in self._definitions:
            base = stage.base
            below = self._definition(base.stage) if base.stage is not None else base.identity
            steps = tuple(
                (type(step.instruction).__name__.lower(), self._definition_parts(stage, position, step))
                for position, step in enumerate(stage.steps)
                if step.makes_layer
            )
            self._definitions[index] = keys.derive("stage", (("below", below), ("steps", steps)))
        return self._definitions[index]

    def _definition_parts(self, stage: Evaluated, position: int, step: Step) -> Parts:
        instruction = step.instruction
        if isinstance(instruction, ins.Copy) and instruction.from_:
            other = self._evaluator.find(instruction.from_, stage.stage.index)
            if other is not None:
                identity = self._definition(self._evaluator.stage(other.index))
            else:
                identity = self._bases.context_identity(instruction.from_) or ""
            if identity:
                contents = (("from", identity), ("sources", instruction.sources))
                return keys.copy_parts(instruction, step.config, contents)
        return self._content_parts(stage, position, step)

    def _content_parts(self, stage: Evaluated, position: int, step: Step) -> Parts:
        """What the step reads, by content.  For a COPY from a stage this waits until that stage is built."""
        instruction = step.instruction
        match instruction:
            case ins.Run():
                return keys.run_parts(step, self._level.settings.network)
            case ins.Workdir():
                return (("directory", step.created_by), ("user", step.config.user))
            case ins.Copy() | ins.Add():
                place = (stage.stage.index, position)
                if place not in self._sources:
                    self._sources[place] = self._find_sources(stage, instruction)
                return keys.copy_parts(instruction, step.config, self._sources[place][1])
        return (("text", step.created_by),)

    def _find_sources(
        self, stage: Evaluated, instruction: ins.Copy | ins.Add
    ) -> tuple[list[Source], tuple[tuple[str, object], ...]]:
        context = self._context(stage, instruction)
        try:
            sources = find_sources(instruction, context)
        except DockerceptionError as error:
            add_excerpt(error, instruction, self._level.dockerfile)
            raise
        contents: list[tuple[str, object]] = []
        for source in sources:
            digest = select.content_digest(context, source.followed, owners=context.keeps_owners)
            contents.append((source.path.rpartition("/")[2], digest))
        contents += [(file.name, file.content) for file in instruction.files]
        return sources, tuple(contents)

    def _context(self, stage: Evaluated, instruction: ins.Copy | ins.Add) -> Context:
        """Where a COPY or ADD reads: the build's context, a stage, a named context or an image."""
        name = instruction.from_ if isinstance(instruction, ins.Copy) else ""
        if not name:
            return self._level.context
        other = self._evaluator.find(name, stage.stage.index)
        if other is None:
            return self._bases.context(name)
        state = self._start(other.index, in_thread=False).result()
        return self._faces.view(state.layers, f"the stage {self._evaluator.stage(other.index).label}")

    def _stages_read(self, stage: Evaluated) -> list[int]:
        names = [step.instruction.from_ for step in stage.steps if isinstance(step.instruction, ins.Copy)]
        found = (self._evaluator.find(name, stage.stage.index) for name in names if name)
        return [other.index for other in found if other is not None]

    def _wants_tree(self, stage: Evaluated, position: int) -> bool:
        """Whether a RUN, here or in a stage built on this one, or the builder's run will mount the step's layer."""
        if self._level.will_emit or any(_is_run(step) for step in stage.steps[position + 1 :]):
            return True
        later = self._level.dockerfile.stages[stage.stage.index + 1 :]
        with_runs = [other for other in later if any(isinstance(each, ins.Run) for each in other.instructions)]
        return any(_is_built_on(other, stage, later) for other in with_runs)


class _Pending:
    """The result of a call that one thread makes and any number wait for."""

    def __init__(self, call: Callable[[], StageState]) -> None:
        self._call = call
        self._done = threading.Event()
        self._result: StageState | None = None
        self._error: BaseException | None = None
        self._thread: threading.Thread | None = None

    def start(self, *, in_thread: bool) -> None:
        """Make the call, here or in a thread of its own."""
        if in_thread:
            self._thread = threading.Thread(target=self._run, daemon=True)
            self._thread.start()
        else:
            self._run()

    def result(self) -> StageState:
        """Wait for the result, or raise what the call raised."""
        self._done.wait()
        if self._error is not None:
            raise self._error
        assert self._result is not None
        return self._result

    def join(self) -> None:
        """Wait for the thread, if there is one."""
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join()

    def _run(self) -> None:
        try:
            self._result = self._call()
        except BaseException as error:  # noqa: BLE001 - handed to whoever waits, KeyboardInterrupt included
            self._error = error
        finally:
            self._done.set()


def _is_run(step: Step) -> bool:
    return isinstance(step.instruction, ins.Run)


def _is_built_on(other: Stage, stage: Evaluated, later: Sequence[Stage]) -> bool:
    """Whether ``other`` begins with this stage, directly or through stages in between."""
    names = {stage.stage.name} - {""}
    for one in later:
        if one.base.base.lower() in names:
            if one is other:
                return True
            names |= {one.name} - {""}
    return False
