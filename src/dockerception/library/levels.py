"""The plan of a Dockerfile: its levels, their stages, and what each of them reads.  Nothing is built or looked up."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

import msgspec

from ..dockerfile import instructions as ins
from ..dockerfile import nested, stages
from ..dockerfile.nested import Part
from ..dockerfile.stages import Stage

_LEVEL: Final = re.compile(r"level:(\d+)")
_FOLLOWS: Final = "follows"
_DEFAULT: Final = "Dockerfile"


class Read(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a stage reads: the ``context`` of its level, a ``stage``, the image of a ``level``, or what is ``outside``:
    an image, a named context, a URL.  ``level`` is the number of a level, where it is an earlier one."""

    kind: str
    name: str
    level: int | None = None


class StagePlan(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A stage: its name (else its number), what it begins with (None: scratch), what it reads besides, and the platform
    that its FROM names, as written."""

    name: str
    base: Read | None
    reads: tuple[Read, ...]
    platform: str = ""


class LevelPlan(msgspec.Struct, frozen=True, kw_only=True):
    """A level.

    ``emits`` is the BUILD behind it as written, empty for the last one; ``is_appended`` says that nobody has written
    it, so that ``assemble`` ends there.  ``dockerfile`` says where the next level's Dockerfile is: ``follows``, the
    name of a file in the context, or empty.
    """

    level: int
    stages: tuple[StagePlan, ...]
    emits: str
    is_appended: bool
    dockerfile: str


def plan(data: bytes, name: str) -> tuple[LevelPlan, ...]:
    """The levels that are written in a Dockerfile, as ``build`` goes through them.  Raises ``DockerfileError``."""
    dockerfile = stages.load(data, name=name)
    parts = nested.split(dockerfile)
    is_appended = not nested.has_build(dockerfile)
    return tuple(_level(parts, number, is_appended=is_appended) for number in range(len(parts)))


def _level(parts: tuple[Part, ...], number: int, *, is_appended: bool) -> LevelPlan:
    part = parts[number]
    emits = f"BUILD {nested.STDOUT}" if is_appended else part.build.original if part.build is not None else ""
    named = (part.build.dockerfile if part.build is not None else "") or _DEFAULT
    return LevelPlan(
        level=number,
        stages=tuple(_stage(parts[: number + 1], stage) for stage in part.dockerfile.stages),
        emits=emits,
        is_appended=is_appended,
        dockerfile=_FOLLOWS if number + 1 < len(parts) else named if emits else "",
    )


def _stage(parts: tuple[Part, ...], stage: Stage) -> StagePlan:
    """A stage of the last of these parts."""
    own = parts[-1].dockerfile.stages
    taken = {name for each in own for name in stages.references(each)}
    base = stage.base.base
    is_nothing = base.lower() == "scratch"
    return StagePlan(
        name=stage.name or str(stage.index),
        base=None if is_nothing else _named(parts, stage, base, sees_earlier_stages=base in taken),
        reads=tuple(dict.fromkeys(_reads(parts, stage))),
        platform=stage.base.platform,
    )


def _reads(parts: tuple[Part, ...], stage: Stage) -> Iterator[Read]:
    copies = [one for one in stage.instructions if isinstance(one, ins.Copy | ins.Add)]
    local = [one for one in copies if not (isinstance(one, ins.Copy) and one.from_)]
    sources = [source for one in local for source in one.sources]
    remote = [source for source in sources if ins.is_remote(source)]
    mounts = [mount for one in stage.instructions if isinstance(one, ins.Run) for mount in one.mounts]
    if len(remote) < len(sources) or any(mount.type == "bind" and not mount.from_ for mount in mounts):
        yield Read(kind="context", name="context")
    yield from (Read(kind="outside", name=source) for source in remote)
    for name in stages.references(stage):
        yield _named(parts, stage, name, sees_earlier_stages=True)


def _named(parts: tuple[Part, ...], stage: Stage, name: str, *, sees_earlier_stages: bool) -> Read:
    """What a name means in a stage: one of its own level, an earlier level, a stage of the latest one that has it."""
    level = len(parts) - 1
    before = parts[-1].dockerfile.stages[: stage.index]
    if any(name.lower() == each.name for each in before):
        return Read(kind="stage", name=name)
    if sees_earlier_stages and name.isdigit() and int(name) < stage.index:
        return Read(kind="stage", name=before[int(name)].name or name)
    number = _LEVEL.fullmatch(name)
    if number:
        return Read(kind="level", name=name, level=int(number[1]))
    if sees_earlier_stages:
        for earlier in range(level - 1, -1, -1):
            if any(name.lower() == each.name for each in parts[earlier].dockerfile.stages):
                return Read(kind="stage", name=name, level=earlier)
    return Read(kind="outside", name=name)
