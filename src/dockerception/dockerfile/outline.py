"""What a Dockerfile offers to who builds it: its targets, and what one of them takes.

Descriptions are the comments right above a named stage or an ARG that begin with its name.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import msgspec

from ..errors import DockerfileError
from .check.bases import global_values
from .check.comments import description
from .check.levels import Level, levels_of
from .instructions import Arg, Lines, Run, resolve_arguments
from .stages import Dockerfile, Stage, find_stage, references
from .words import expand


class Target(msgspec.Struct, frozen=True, kw_only=True):
    """A stage that can be built.  ``name`` is its number where it has no name; ``base`` is as written."""

    name: str
    description: str
    base: str
    platform: str
    is_default: bool
    location: Lines


class Argument(msgspec.Struct, frozen=True, kw_only=True):
    """A build argument that a target takes; ``value`` is what it has without more being said."""

    name: str
    description: str
    value: str
    location: Lines


class Requirement(msgspec.Struct, frozen=True, kw_only=True):
    """A secret or an ssh agent that a target mounts, or a cache that it keeps."""

    name: str
    is_required: bool
    location: Lines


class Outline(msgspec.Struct, frozen=True, kw_only=True):
    """What building a target takes."""

    name: str
    description: str
    arguments: tuple[Argument, ...]
    secrets: tuple[Requirement, ...]
    ssh: tuple[Requirement, ...]
    caches: tuple[Requirement, ...]


def targets_of(dockerfile: Dockerfile) -> tuple[Target, ...]:
    """All stages in order."""
    last = dockerfile.stages[-1].index
    return tuple(
        Target(
            name=_name(stage),
            description=_description(dockerfile, stage),
            base=stage.base.base,
            platform=stage.base.platform,
            is_default=stage.index == last,
            location=stage.base.location,
        )
        for stage in dockerfile.stages
    )


def outline_of(dockerfile: Dockerfile, target: str = "", build_args: Mapping[str, str] = {}) -> Outline:
    """What ``target`` takes, by default the last stage.  Raises ``DockerfileError`` if there is no such stage."""
    wanted = find_stage(dockerfile, target) if target else dockerfile.stages[-1]
    level = _level_of(dockerfile, wanted)
    escape = dockerfile.directives.escape
    values = global_values(level, build_args, escape=escape)
    needed = _needed(dockerfile, wanted, values)
    mounts = [
        (mount.type, Requirement(name=mount.id or mount.target, is_required=mount.is_required, location=one.location))
        for stage in needed
        for one in stage.instructions
        if isinstance(one, Run)
        for mount in one.mounts
    ]
    return Outline(
        name=_name(wanted),
        description=_description(dockerfile, wanted),
        arguments=tuple(_arguments(dockerfile, level, needed, values, build_args)),
        secrets=_first(mount for kind, mount in mounts if kind == "secret"),
        ssh=_first(
            msgspec.structs.replace(mount, name=mount.name or "default") for kind, mount in mounts if kind == "ssh"
        ),
        caches=_first(mount for kind, mount in mounts if kind == "cache"),
    )


def _needed(dockerfile: Dockerfile, wanted: Stage, values: Mapping[str, str]) -> list[Stage]:
    """The stages that are built for one, itself included, in the order of the file."""
    found, waiting = {wanted.index: wanted}, [wanted]
    while waiting:
        stage = waiting.pop()
        for name in (_expanded(stage.base.base, values, dockerfile.directives.escape), *references(stage)):
            for earlier in reversed(dockerfile.stages[: stage.index]):
                if name and name.lower() in (earlier.name, str(earlier.index)):
                    if earlier.index not in found:
                        found[earlier.index] = earlier
                        waiting.append(earlier)
                    break
    return [found[index] for index in sorted(found)]


def _arguments(
    dockerfile: Dockerfile,
    level: Level,
    needed: list[Stage],
    values: Mapping[str, str],
    build_args: Mapping[str, str],
) -> Iterator[Argument]:
    """Each name once, where it is declared first: before FROM if a FROM or a stage uses it, else in a stage."""
    escape = dockerfile.directives.escape
    in_stages = [one for stage in needed for one in stage.instructions if isinstance(one, Arg)]
    used = {argument.name for arg in in_stages for argument in arg.arguments}
    for stage in needed:
        _expanded(f"{stage.base.base} {stage.base.platform}", values, escape, used)
    seen: set[str] = set()
    for arg in (*level.global_args, *in_stages):
        for name, value in _resolved(arg, values, build_args, escape):
            if name in used and name not in seen:
                seen.add(name)
                yield Argument(
                    name=name,
                    description=description(dockerfile.document, arg.location, name),
                    value=values.get(name, "") if value is None else value,
                    location=arg.location,
                )


def _resolved(
    arg: Arg, values: Mapping[str, str], build_args: Mapping[str, str], escape: str
) -> tuple[tuple[str, str | None], ...]:
    try:
        return resolve_arguments(arg, values, overrides=build_args, escape=escape)
    except DockerfileError:  # a default that a build would refuse has no value to show
        return tuple((argument.name, None) for argument in arg.arguments)


def _level_of(dockerfile: Dockerfile, wanted: Stage) -> Level:
    levels = list(levels_of(dockerfile))
    return next((level for level in levels if any(each.base is wanted.base for each in level.stages)), levels[-1])


def _expanded(word: str, values: Mapping[str, str], escape: str, used: set[str] | None = None) -> str:
    try:
        return expand(word, values, escape=escape, used=used)
    except DockerfileError:
        return ""


def _first(requirements: Iterator[Requirement]) -> tuple[Requirement, ...]:
    """Each name once, required if any of its mounts is."""
    found: dict[str, Requirement] = {}
    for each in requirements:
        known = found.setdefault(each.name, each)
        if each.is_required and not known.is_required:
            found[each.name] = msgspec.structs.replace(known, is_required=True)
    return tuple(found.values())


def _name(stage: Stage) -> str:
    return stage.name or str(stage.index)


def _description(dockerfile: Dockerfile, stage: Stage) -> str:
    return description(dockerfile.document, stage.base.location, stage.name) if stage.name else ""
