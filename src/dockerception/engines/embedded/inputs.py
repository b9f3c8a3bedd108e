"""What the steps of a level read, as the parts of their keys.

By *definition*: the text of a step and the definition keys of the stages that it reads; known before anything is built.
By *content*: what it really reads; for what comes from a stage, that is known when the stage is built.
"""

from __future__ import annotations

from ...dockerfile import instructions as ins
from ..base import Level
from . import keys
from .keys import Parts
from .reading import Reading, reads
from .values import Evaluated, Step


class Inputs:
    """The inputs of one level's steps.  Threads may share it, as long as each stage's steps are asked for by one."""

    def __init__(self, level: Level, reading: Reading) -> None:
        self._level = level
        self._reading = reading
        self._definitions: dict[int, str] = {}

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
                mounts = enumerate(step.instruction.mounts)
                shown = tuple(self._shown(stage, position, number, mount) for number, mount in mounts)
                return keys.run_parts(step.instruction, step, self._level.settings.network, shown)
            case ins.Workdir():
                return (("directory", step.created_by), ("user", step.config.user))
            case ins.Copy() | ins.Add():
                _, contents = self._reading.copied(stage, position, step.instruction)
                return keys.copy_parts(step.instruction, step.config, contents)
        return (("text", step.created_by),)

    def _definition_parts(self, stage: Evaluated, position: int, step: Step) -> Parts:
        instruction = step.instruction
        if isinstance(instruction, ins.Copy) and instruction.from_:
            identity = self._identity(stage, position, instruction.from_)
            if identity:
                sources = (instruction.sources, instruction.keeps_parents)
                contents = (("from", identity), ("sources", sources), *keys.inline_contents(instruction))
                return keys.copy_parts(instruction, step.config, contents)
        if isinstance(instruction, ins.Run):
            mounts = enumerate(instruction.mounts)
            named = tuple(self._named(stage, position, number, mount) for number, mount in mounts)
            return keys.run_parts(instruction, step, self._level.settings.network, named)
        return self.content(stage, position)

    def _shown(self, stage: Evaluated, position: int, number: int, mount: ins.Mount) -> bytes:
        """The content of what a mount shows; empty for one that shows nothing from elsewhere."""
        return self._reading.bound(stage, position, number, mount).digest if reads(mount) else b""

    def _named(self, stage: Evaluated, position: int, number: int, mount: ins.Mount) -> object:
        """``_shown`` where it is known without building what the mount is from, else what is built and which part."""
        identity = self._identity(stage, position, mount.from_) if reads(mount) and mount.from_ else ""
        return (identity, mount.source) if identity else self._shown(stage, position, number, mount)

    def _identity(self, stage: Evaluated, position: int, name: str) -> str:
        """What is known of all that a ``from`` names without building it; empty for a directory of this machine."""
        other = self._reading.stage_named(stage, name)
        return self.definition(other) if other is not None else self._reading.identity(stage, position, name)
