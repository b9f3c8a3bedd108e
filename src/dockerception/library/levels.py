"""The plan of a Dockerfile: its levels, their stages, and what each of them reads.  Nothing is built or looked up."""

from __future__ import annotations

import re
from typing import Final

import msgspec

from ..dockerfile import instructions as ins
from ..dockerfile import nested, stages
from ..dockerfile.stages import Stage

_LEVEL: Final = re.compile(r"level:\d+")
_CONTEXT: Final = "context"


class StagePlan(msgspec.Struct, frozen=True, kw_only=True):
    """A stage: its name (else its number), what it begins with, and what it reads besides, each with its kind: the
    ``context``, a ``stage``, a ``level``, or ``outside`` for an image or a named context."""

    name: str
    base: str
    reads: tuple[tuple[str, str], ...]


class LevelPlan(msgspec.Struct, frozen=True, kw_only=True):
    """A level.  ``emits`` is the BUILD behind it as written, empty for the last one; ``dockerfile`` says where the next
    level's Dockerfile is: ``follows``, the name of a file in the context, or empty."""

    level: int
    stages: tuple[StagePlan, ...]
    emits: str
    dockerfile: str


def plan(data: bytes, name: str) -> tuple[LevelPlan, ...]:
    """The levels that are written in a Dockerfile, as ``build`` goes through them.  Raises ``DockerfileError``."""
    dockerfile = stages.load(data, name=name)
    parts = nested.split(dockerfile)
    known: list[str] = []
    found = []
    for number, part in enumerate(parts):
        described = []
        for stage in part.dockerfile.stages:
            described.append(_describe(stage, known))
            known.append(stage.name)
        build = part.build.original if part.build is not None else ""
        if not nested.has_build(dockerfile):
            build = f"BUILD {nested.STDOUT}"
        named = (part.build.dockerfile if part.build is not None else "") or "Dockerfile"
        source = "follows" if number + 1 < len(parts) else named if build else ""
        found.append(LevelPlan(level=number, stages=tuple(described), emits=build, dockerfile=source))
    return tuple(found)


def _describe(stage: Stage, known: list[str]) -> StagePlan:
    copies = [one for one in stage.instructions if isinstance(one, ins.Copy | ins.Add)]
    has_context = any(one.sources and not (isinstance(one, ins.Copy) and one.from_) for one in copies)
    mounts = [mount for one in stage.instructions if isinstance(one, ins.Run) for mount in one.mounts]
    has_context |= any(mount.type == "bind" and not mount.from_ for mount in mounts)
    reads = [(name, _kind(name, known)) for name in stages.references(stage)]
    return StagePlan(
        name=stage.name or str(stage.index),
        base=stage.base.base,
        reads=((_CONTEXT, _CONTEXT), *reads) if has_context else tuple(reads),
    )


def _kind(name: str, known: list[str]) -> str:
    if _LEVEL.fullmatch(name):
        return "level"
    return "stage" if name.isdigit() or name.lower() in known else "outside"
