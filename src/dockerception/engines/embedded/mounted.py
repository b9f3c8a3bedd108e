"""Which layers will be mounted, and so are made as trees; the others are made as blobs, with no sandbox at all."""

from __future__ import annotations

from ...dockerfile import instructions as ins
from ...dockerfile.stages import Stage
from ..base import Level
from .values import Evaluated


def is_mounted_later(level: Level, stage: Evaluated, position: int) -> bool:
    """Whether a RUN, here or in a stage built on this one, or the builder's run will mount the layer of this step.

    A guess, from names as they are written: a wrong one costs time, nothing else.
    """
    if level.will_emit or any(isinstance(step.instruction, ins.Run) for step in stage.steps[position + 1 :]):
        return True
    names = {stage.stage.name} - {""}
    for later in level.dockerfile.stages[stage.stage.index + 1 :]:
        if later.base.base.lower() in names:
            if _has_run(later):
                return True
            names |= {later.name} - {""}
    return False


def _has_run(stage: Stage) -> bool:
    return any(isinstance(each, ins.Run) for each in stage.instructions)
