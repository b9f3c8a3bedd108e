"""A Dockerfile as the rules look at it: levels of plain stages, the builds of IN blocks among them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec

from ..instructions import Arg, Build, From, In, Instruction
from ..stages import Dockerfile, Stage


class Level(msgspec.Struct, frozen=True, kw_only=True):
    """One build of the file: the ARGs before its first FROM, and its stages."""

    global_args: tuple[Arg, ...]
    stages: tuple[Stage, ...]


def levels_of(dockerfile: Dockerfile) -> Iterator[Level]:
    """The levels in order; behind a BUILD the next one begins."""
    global_args, stages = dockerfile.global_args, list[Stage]()
    for stage in dockerfile.stages:
        body, following = _cut(stage.instructions)
        stages += _with_blocks(msgspec.structs.replace(stage, instructions=body))
        if following is not None:
            yield Level(global_args=global_args, stages=tuple(stages))
            global_args, stages = following, []
    if stages:
        yield Level(global_args=global_args, stages=tuple(stages))


def _cut(instructions: Sequence[Instruction]) -> tuple[tuple[Instruction, ...], tuple[Arg, ...] | None]:
    """What stands before BUILD, and the ARGs behind it; None for these where there is no BUILD."""
    for position, instruction in enumerate(instructions):
        if isinstance(instruction, Build):
            following = instructions[position + 1 :]
            return tuple(instructions[: position + 1]), tuple(one for one in following if isinstance(one, Arg))
    return tuple(instructions), None


def _with_blocks(stage: Stage) -> Iterator[Stage]:
    """``stage``, and each block of IN in it as a stage that has no name."""
    yield stage
    for instruction in stage.instructions:
        if isinstance(instruction, In) and isinstance(base := instruction.instructions[0], From):
            inner = Stage(index=stage.index, name="", base=base, instructions=instruction.instructions[1:])
            yield from _with_blocks(inner)
