"""FROM: UndefinedArgInFrom, InvalidDefaultArgInFrom, RedundantTargetPlatform, FromPlatformFlagConstDisallowed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from ...errors import DockerfileError, UsageError
from ...reference import Platform, Reference
from ..instructions import resolve_arguments
from ..stages import Stage
from ..text import close_match
from ..words import expand
from .findings import Facts, Finding
from .levels import Level

_TARGET_PLATFORM: Final = "TARGETPLATFORM"
_PARTS: Final = ("PLATFORM", "OS", "ARCH", "VARIANT")


def findings(level: Level, facts: Facts, *, escape: str) -> Iterator[Finding]:
    """Those of all four rules."""
    defaults = global_values(level, {}, escape=escape)
    declared = {*defaults, *(argument.name for arg in level.global_args for argument in arg.arguments)}
    for stage in level.stages:
        yield from _undeclared(stage, declared, escape)
        if not _names_an_image(stage.base.base, defaults, escape):
            text = f"With the defaults of its ARGs, “{stage.base.base}” names no image"
            yield Finding(rule="InvalidDefaultArgInFrom", text=text, location=stage.base.location)
        if stage.base.platform:
            yield from _platforms(stage, escape)


def global_values(level: Level, build_args: Mapping[str, str], *, escape: str) -> dict[str, str]:
    """The ARGs before the first FROM that have a value, those of the platforms included."""
    host = Platform.host()
    parts = (str(host), host.os, host.architecture, host.variant)
    values = {f"{side}{part}": value for side in ("BUILD", "TARGET") for part, value in zip(_PARTS, parts, strict=True)}
    values["TARGETSTAGE"] = "default"
    for arg in level.global_args:
        try:
            resolved = resolve_arguments(arg, values, overrides=build_args, escape=escape)
        except DockerfileError:  # a build tells it; here the other values count
            continue
        values.update({name: value for name, value in resolved if value is not None})
    return values


def _undeclared(stage: Stage, declared: set[str], escape: str) -> Iterator[Finding]:
    used = _used(stage.base.base, escape) | _used(stage.base.platform, escape)
    for name in sorted(used - declared):
        text = f"No ARG before FROM declares {name}{suggestion(name, declared)}"
        yield Finding(rule="UndefinedArgInFrom", text=text, location=stage.base.location)


def suggestion(name: str, known: set[str] | frozenset[str]) -> str:
    """`` (did you mean …?)`` where one of the ``known`` names is close."""
    match = close_match(name, sorted(known))
    return f" (did you mean {match}?)" if match else ""


def _names_an_image(base: str, defaults: Mapping[str, str], escape: str) -> bool:
    if not _used(base, escape):
        return True  # what is no name without variables is an error, and no matter of defaults
    try:
        name = expand(base, defaults, escape=escape)
        Reference.parse(name)
    except (DockerfileError, UsageError):
        return False
    return True


def _platforms(stage: Stage, escape: str) -> Iterator[Finding]:
    written, location = stage.base.platform, stage.base.location
    used = _used(written, escape)
    if used == {_TARGET_PLATFORM}:
        # A value that nothing else can give tells whether the variable is all of it.
        if expand(written, {_TARGET_PLATFORM: "\0"}, escape=escape) == "\0":
            text = f"--platform={written} is what FROM takes anyway"
            yield Finding(rule="RedundantTargetPlatform", text=text, location=location)
    elif not used and not _is_in_name(written, stage.name):
        text = f"--platform={written} builds for this platform only"
        yield Finding(rule="FromPlatformFlagConstDisallowed", text=text, location=location)


def _is_in_name(written: str, name: str) -> bool:
    """Whether the stage's name says the platform: then it is for that one on purpose.  True for no platform at all."""
    try:
        platform = Platform.parse(written)
    except UsageError:
        return True
    return platform.os in name or platform.architecture in name


def _used(word: str, escape: str) -> set[str]:
    """The variables that a word looks up."""
    used: set[str] = set()
    try:
        expand(word, {}, escape=escape, used=used)
    except DockerfileError:  # ${name:?}, or a form that there is not: a build tells it
        return used
    return used
