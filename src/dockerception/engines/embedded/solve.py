"""From evaluated stages to built ones: names first, work second.

A stage has a *definition key* (see ``inputs``); it is looked up first, so that a build in which nothing changed touches
nothing.  On a miss the stage goes step by step with *content keys*, made of what the steps really read; so a program
that comes out the same skips everything after it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import ExitStack
from typing import TYPE_CHECKING

from ...dockerfile import instructions as ins
from ...errors import DockerceptionError
from ...store.claims import Claims
from ...store.layers import Layer
from ...store.traces import Traces
from ..base import Level
from . import keys
from .bases import Bases
from .evaluate import Evaluator
from .faces import Faces
from .inputs import Inputs
from .keys import Parts
from .matching import Source
from .mounted import is_mounted_later
from .pending import Pending, Stop
from .reading import Bound, Files, Reading, add_excerpt, reads
from .recorded import LayerRecord, Recorded
from .steps import RunningStep, Steps
from .values import Evaluated, StageState

if TYPE_CHECKING:
    from ..explaining import Miss
    from .execute import Executor

_COPIES = (ins.Copy, ins.Add)


class Solver:
    """Builds the stages of one level, each at most once; stages that do not read each other at the same time.

    ``has_executed`` says whether any step had to be executed; only then is an executor made.  ``stop`` ends the work of
    all threads.
    """

    def __init__(
        self,
        level: Level,
        evaluator: Evaluator,
        bases: Bases,
        *,
        recorded: Recorded,
        traces: Traces,
        claims: Claims,
        faces: Faces,
        make_executor: Callable[[], Executor],
        steps: Steps,
        stop: Stop,
    ) -> None:
        self._level = level
        self._recorded = recorded
        self._traces = traces
        self._claims = claims
        self._faces = faces
        self._make_executor = make_executor
        self._executor: Executor | None = None
        self._steps = steps
        self._stop = stop
        self._reading = Reading(level, evaluator, bases, self._view)
        self._inputs = Inputs(level, self._reading)
        self._lock = threading.Lock()
        self._pending: dict[int, Pending[StageState]] = {}
        self.has_executed = False

    def solve(self, stage: Evaluated) -> StageState:
        """The built stage.  Raises what went wrong first, in its building or in that of a stage that it reads; then
        the other stages stop."""
        try:
            return self._solve(stage)
        except BaseException as error:
            self._stop.set(error)
            for pending in self._all_pending():
                pending.abandon()
            first = self._stop.reason
            if first is None or first is error or not isinstance(error, Exception):
                raise
            raise first from None

    def definition(self, stage: Evaluated) -> str:
        """The stage's definition key."""
        return self._inputs.definition(stage)

    def read_by(self, stage: Evaluated) -> list[Evaluated]:
        """The stages that a stage is built on, and those that its steps read."""
        below = [stage.base.stage] if stage.base.stage is not None else []
        return [*below, *self._reading.stages(stage)]

    def join(self) -> None:
        """Wait until no thread of this solver works any more; to be called when everything is stopped or done."""
        for pending in self._all_pending():
            pending.join()

    def _solve(self, stage: Evaluated) -> StageState:
        definition = self._inputs.definition(stage)
        if not self._must_look(stage):
            state = self._recorded.stage(definition, stage)
            if state is not None:
                self._report_cached(stage)
                return state
        for other in self._reading.stages(stage):
            self._begin(other)
        return self._recorded.keep_stage(definition, self._build(stage, self._below(stage)))

    def _begin(self, stage: Evaluated) -> None:
        """Have a stage built in a thread of its own, unless somebody builds it already."""
        pending, is_new = self._pending_of(stage)
        if is_new:
            pending.start()

    def _built(self, stage: Evaluated) -> StageState:
        """A stage that another one reads, built now in this thread if nobody has begun."""
        pending, is_new = self._pending_of(stage)
        if is_new:
            pending.run()
        return pending.result()

    def _pending_of(self, stage: Evaluated) -> tuple[Pending[StageState], bool]:
        with self._lock:
            index = stage.stage.index
            is_new = index not in self._pending
            if is_new:
                self._pending[index] = Pending(lambda: self._solve(stage), self._stop)
            return self._pending[index], is_new

    def _all_pending(self) -> list[Pending[StageState]]:
        with self._lock:
            return list(self._pending.values())

    def _view(self, stage: Evaluated) -> Files:
        layers = self._built(stage).layers
        return Files(context=self._faces.view(layers, f"the stage {stage.label}"), layers=layers)

    def _below(self, stage: Evaluated) -> StageState:
        """What the stage is built on."""
        if stage.base.stage is not None:
            return self._built(stage.base.stage)
        layers = stage.base.image.layers if stage.base.image else ()
        return StageState(key=keys.derive("base", (("image", stage.base.identity),)), layers=layers)

    def _build(self, stage: Evaluated, below: StageState) -> StageState:
        key, layers, created, steps = below.key, list(below.layers), list(below.created), list(below.steps)
        is_first_miss = True
        for position, name in _numbered(stage):
            self._stop.check()
            step = stage.steps[position]
            parts = (("below", key), *self._inputs.content(stage, position))
            key = keys.derive(type(step.instruction).__name__.lower(), parts)
            with ExitStack() as claims:
                record = self._known(stage, key, name, claims)
                if record is not None:
                    self._steps.cached(name, level=self._level.index)
                else:
                    record = self._make(stage, position, name, key, parts, stack=layers, is_first=is_first_miss)
                    is_first_miss = False
            layers.append(record.layer)
            created.append(record.created)
            steps.append(key)
        return StageState(key=key, layers=tuple(layers), created=tuple(created), steps=tuple(steps))

    def _known(self, stage: Evaluated, key: str, name: str, claims: ExitStack) -> LayerRecord | None:
        """The record of a step that is done.  One that is not is ours to do until ``claims`` end; while another build
        does the same, it is waited for."""
        if self._must_execute(stage):
            return None
        record = self._recorded.layer(key)
        if record is None:
            check = self._steps.waiting(name, self._stop.check)
            if claims.enter_context(self._claims.claim(f"step {key}", check)):
                record = self._recorded.layer(key)
        return record

    def _make(
        self,
        stage: Evaluated,
        position: int,
        name: str,
        key: str,
        parts: Parts,
        *,
        stack: list[str],
        is_first: bool,
    ) -> LayerRecord:
        """Do a step; ``is_first`` of its stage, it may have to say why."""
        self._unpack(stage, position, stack)
        with self._steps.step(name, level=self._level.index) as running:
            miss = self._miss(stage, position, key, parts)
            if is_first:
                self._explain(miss, stage, running)
            made = self._execute(stage, position, stack, running.number)
            record = LayerRecord(made.layer, self._level.settings.epoch)
            self._recorded.keep_layer(key, record)
            miss.keep()
        return record

    def _miss(self, stage: Evaluated, position: int, key: str, parts: Parts) -> Miss:
        from .step_facts import step_miss

        return step_miss(
            self._traces,
            self._level,
            stage,
            position,
            key=key,
            parts=parts,
            sources=self._sources(stage, position),
            bound=self._bound(stage, position),
        )

    def _explain(self, miss: Miss, stage: Evaluated, running: RunningStep) -> None:
        """Say why the first step of a stage missed, if that is asked for; the later ones miss because it did."""
        if self._level.settings.explain:
            from ..explaining import ASKED

            self._steps.explain(running, ASKED if self._must_execute(stage) else miss.why())

    def _unpack(self, stage: Evaluated, position: int, stack: list[str]) -> None:
        """Have the files of what a step goes on top of, where it or a later one runs something."""
        step = stage.steps[position]
        if not isinstance(step.instruction, ins.Run) and not is_mounted_later(self._level, stage, position):
            return
        from .unpacking import unpack

        try:
            unpack(self._faces, self._steps, stack, stage.base, level=self._level.index)
        except DockerceptionError as error:
            add_excerpt(error, step, stage, self._level.dockerfile)
            raise

    def _execute(self, stage: Evaluated, position: int, stack: list[str], number: int) -> Layer:
        self.has_executed = True
        step = stage.steps[position]
        try:
            return self._executor_now().execute(
                step,
                stack=stack,
                sources=self._sources(stage, position),
                bound=self._bound(stage, position),
                wants_tree=is_mounted_later(self._level, stage, position),
                step_number=number,
            )
        except DockerceptionError as error:
            add_excerpt(error, step, stage, self._level.dockerfile)
            raise

    def _sources(self, stage: Evaluated, position: int) -> list[Source]:
        instruction = stage.steps[position].instruction
        return self._reading.copied(stage, position, instruction)[0] if isinstance(instruction, _COPIES) else []

    def _bound(self, stage: Evaluated, position: int) -> tuple[Bound | None, ...]:
        """For each mount of a RUN what it shows, None where that is nothing from elsewhere."""
        instruction = stage.steps[position].instruction
        mounts = instruction.mounts if isinstance(instruction, ins.Run) else ()
        return tuple(
            self._reading.bound(stage, position, number, mount) if reads(mount) else None
            for number, mount in enumerate(mounts)
        )

    def _executor_now(self) -> Executor:
        with self._lock:
            self._executor = self._executor or self._make_executor()
            return self._executor

    def _report_cached(self, stage: Evaluated) -> None:
        for _, name in _numbered(stage):
            self._steps.cached(name, level=self._level.index)

    def _must_execute(self, stage: Evaluated) -> bool:
        """Whether ``--no-cache`` or ``--no-cache-filter`` means this stage, or one that it is built on."""
        settings = self._level.settings
        wanted = {name.lower() for name in settings.no_cache_filter}
        names = {f"level:{self._level.index}", stage.stage.name or str(stage.stage.index), str(stage.stage.index)}
        if settings.no_cache or wanted & names:
            return True
        return stage.base.stage is not None and self._must_execute(stage.base.stage)

    def _must_look(self, stage: Evaluated) -> bool:
        """Whether what the stage copies from other stages may be new though no definition is: they are executed."""
        return self._must_execute(stage) or any(self._must_look(other) for other in self.read_by(stage))


def _numbered(stage: Evaluated) -> list[tuple[int, str]]:
    """The positions of the steps that make layers, and what progress calls them: ``[builder 2/5] RUN make``."""
    positions = [position for position, step in enumerate(stage.steps) if step.makes_layer]
    total = len(positions) + 1  # FROM is the first
    return [
        (position, f"[{stage.label} {number}/{total}] {stage.steps[position].text}")
        for number, position in enumerate(positions, 2)
    ]
