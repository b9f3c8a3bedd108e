"""The names of stages: DuplicateStageName, ReservedStageName."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from .findings import Finding
from .levels import Level

_RESERVED: Final = ("context", "scratch")


def findings(level: Level) -> Iterator[Finding]:
    """At the FROM that gives the name; of two, the second."""
    seen: dict[str, int] = {}
    for stage in level.stages:
        name, location = stage.name, stage.base.location
        if name in _RESERVED:
            yield Finding(
                rule="ReservedStageName", text=f"A stage is called “{name}”, a reserved word", location=location
            )
        if name in seen:
            text = f"The stage of line {seen[name]} is called “{name}” as well"
            yield Finding(rule="DuplicateStageName", text=text, location=location)
        if name:
            seen[name] = location.start
