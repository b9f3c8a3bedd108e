"""What the steps of a level read, as the parts of their keys.

By *definition*: the text of a step and the definition keys of the stages that it reads; known before anything is built.
By *content*: what it really reads; for a COPY from a stage that is known when the stage is built.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from ...context import ignore, select
from ...context.base import Context
from ...dockerfile import instructions as ins
from ...dockerfile.stages import Dockerfile, excerpt_for
from ...errors import DockerceptionError
from ..base import Level
from . import keys
from .bases import Bases
from .evaluate import Evaluator
from .keys import Contents, Parts
from .matching import Source, excluding, find_sources
from .values import Evaluated, Step

_T = TypeVar("_T")
ViewStage = Callable[[Evaluated], Context]
"""The files of a stage; waits until it is built."""


class Inputs:
    """The inputs of one level's steps.  Threads may share it, as long as each stage's steps are asked for by one."""

    def __init__(self, level: Level, evaluator: Evaluator, bases: Bases, view_stage: ViewStage) -> None:
        self._level = level
        self._evaluator = evaluator
        self._bases = bases
        self._view_stage = view_stage
        self._definitions: dict[int, str] = {}
        self._found: dict[tuple[int, int], tuple[list[Source], Contents]] = {}

    def definition(self, stage: Evaluated) -> str:
        """The stage's definition key."""
        index = stage.stage.index
        if index not in self._definitions:
            base = stage.base
            below = self.definition(base.stage) if base.stage is not None else base.identity
            steps = tuple(
                (type(step.instruction).__name__.lower(), self._definition_parts(stage, position, step))
                for position, step in enumerate(stage.steps)
                if step.makes_layer
            )
            self._definitions[index] = keys.derive("stage", (("below", below), ("steps", steps)))
        return self._definitions[index]

    def content(self, stage: Evaluated, position: int) -> Parts:
        """What the step at this position of the stage reads, by content.  May wait for another stage."""
        step = stage.steps[position]
        match step.instruction:
            case ins.Run():
                return keys.run_parts(step.instruction, step, self._level.settings.network)
            case ins.Workdir():
                return (("directory", step.created_by), ("user", step.config.user))
            case ins.Copy() | ins.Add():
                _, contents = self._find(stage, position, step.instruction)
                return keys.copy_parts(step.instruction, step.config, contents)
        return (("text", step.created_by),)

    def sources(self, stage: Evaluated, position: int) -> list[Source]:
        """The files that the COPY or ADD at this position copies; none for other steps."""
        instruction = stage.steps[position].instruction
        return self._find(stage, position, instruction)[0] if isinstance(instruction, ins.Copy | ins.Add) else []

    def stages_read(self, stage: Evaluated) -> list[Evaluated]:
        """The stages that a stage copies from."""
        names = [step.instruction.from_ for step in stage.steps if isinstance(step.instruction, ins.Copy)]
        found = (self._evaluator.find(name, stage.stage.index) for name in names if name)
        return [self._evaluator.stage(other.index) for other in found if other is not None]

    def _definition_parts(self, stage: Evaluated, position: int, step: Step) -> Parts:
        instruction = step.instruction
        if isinstance(instruction, ins.Copy) and instruction.from_:
            other = self._evaluator.find(instruction.from_, stage.stage.index)
            if other is not None:
                identity = self.definition(self._evaluator.stage(other.index))
            else:
                identity = self._located(self._bases.context_identity, stage, step, instruction.from_)
            if identity:
                contents = (("from", identity), ("sources", instruction.sources), *keys.inline_contents(instruction))
                return keys.copy_parts(instruction, step.config, contents)
        return self.content(stage, position)

    def _located(self, look_up: Callable[[str], _T], stage: Evaluated, step: Step, name: str) -> _T:
        """Look up the name that a step's ``--from`` has; errors get the step's lines of the Dockerfile."""
        try:
            return look_up(name)
        except DockerceptionError as error:
            add_excerpt(error, step, stage, self._level.dockerfile)
            raise

    def _find(self, stage: Evaluated, position: int, instruction: ins.Copy | ins.Add) -> tuple[list[Source], Contents]:
        place = (stage.stage.index, position)
        if place not in self._found:
            context = self._context(stage, position, instruction)
            try:
                self._found[place] = _look(instruction, context)
            except DockerceptionError as error:
                add_excerpt(error, stage.steps[position], stage, self._level.dockerfile)
                raise
        return self._found[place]

    def _context(self, stage: Evaluated, position: int, instruction: ins.Copy | ins.Add) -> Context:
        """Where a COPY or ADD reads: the build's context, a stage, a named context or an image."""
        name = instruction.from_ if isinstance(instruction, ins.Copy) else ""
        if not name:
            return self._level.context
        other = self._evaluator.find(name, stage.stage.index)
        if other is None:
            return self._located(self._bases.context, stage, stage.steps[position], name)
        return self._view_stage(self._evaluator.stage(other.index))


def add_excerpt(error: DockerceptionError, step: Step, stage: Evaluated, dockerfile: Dockerfile) -> None:
    """Put the step's lines of the Dockerfile in front of an error's details; those of FROM for an ONBUILD trigger."""
    location = stage.stage.base.location if step.is_trigger else step.instruction.location
    excerpt = excerpt_for(dockerfile, location)
    error.details = f"{excerpt}\n{error.details}" if error.details else excerpt


def _look(instruction: ins.Copy | ins.Add, context: Context) -> tuple[list[Source], Contents]:
    sources = find_sources(instruction, context)
    rules = excluding(instruction)
    contents = tuple((_name(source), _digest(source, rules)) for source in sources)
    return sources, (*contents, *keys.inline_contents(instruction))


def _name(source: Source) -> str:
    return source.path.rpartition("/")[2]


def _digest(source: Source, rules: ignore.IgnoreRules | None) -> bytes:
    context = source.context
    return select.content_digest(context, source.followed, owners=context.keeps_owners, exclude=rules)
