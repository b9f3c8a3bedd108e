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
    if _is_bound(level, stage):
        return True
    if level.will_emit or any(isinstance(step.instruction, ins.Run) for step in stage.steps[position + 1 :]):
        return True
    names = {stage.stage.name} - {""}
    for later in level.dockerfile.stages[stage.stage.index + 1 :]:
        if later.base.base.lower() in names:
            if _has_run(later):
                return True
            names |= {later.name} - {""}
    return False


def _is_bound(level: Level, stage: Evaluated) -> bool:
    """Whether a mount of a later RUN names the stage."""
    names = {stage.stage.name, str(stage.stage.index)}
    later = level.dockerfile.stages[stage.stage.index + 1 :]
    runs = (each for one in later for each in one.instructions if isinstance(each, ins.Run))
    return any(mount.from_.lower() in names for run in runs for mount in run.mounts if mount.from_)


def _has_run(stage: Stage) -> bool:
    return any(isinstance(each, ins.Run) for each in stage.instructions)
