"""The levels before one, as what its Dockerfile may name: ``level:N``, and for COPY and mounts their stages."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

import msgspec

from ..dockerfile.parser import located
from ..dockerfile.stages import Dockerfile, Stage, references
from ..engines.base import Built, Engine, Level
from ..errors import DockerfileError

_LEVEL: Final = re.compile(r"level:(\d+)")
_IMAGE_PREFIX: Final = "docker-image://"


class EarlierLevels:
    """What has been built so far.  An engine gets what a level names of it as a named context, so that none has to know
    of levels.  ``names`` are those that have been given out: what they lead to does not come from outside."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._levels: list[tuple[Level, Built]] = []
        self._images: dict[tuple[int, str], str] = {}
        self.names: set[str] = set()

    def add(self, level: Level, built: Built) -> None:
        """Take a built level in."""
        self._levels.append((level, built))

    def with_contexts(self, level: Level) -> Level:
        """The level, with named contexts for what its Dockerfile names of earlier ones.

        Its own stages, and what ``--build-context`` names, come first.  Raises ``DockerfileError`` for a level that is
        not there.
        """
        given = level.settings.build_contexts
        found = {name: self._image(*place) for name, place in self._named(level) if name not in given}
        if not found:
            return level
        self.names |= found.keys()
        settings = msgspec.structs.replace(level.settings, build_contexts={**given, **found})
        return msgspec.structs.replace(level, settings=settings)

    def _named(self, level: Level) -> Iterator[tuple[str, tuple[int, str]]]:
        """The names that lead to an earlier level, each with the level's number and a stage, empty for all of it."""
        own: set[str] = set()
        for stage in level.dockerfile.stages:
            for name in (stage.base.base, *references(stage)):
                number = _LEVEL.fullmatch(name)
                if number:
                    if int(number[1]) >= len(self._levels):
                        raise _no_level(level.dockerfile, stage, name, len(self._levels))
                    yield name, (int(number[1]), "")
                elif name in references(stage) and name.lower() not in own:
                    yield from ((name, place) for place in self._stages_named(name.lower()))
            own.add(stage.name)

    def _stages_named(self, name: str) -> list[tuple[int, str]]:
        """The latest stage of that name, if there is one."""
        for index in range(len(self._levels) - 1, -1, -1):
            if name and any(stage.name == name for stage in self._levels[index][0].dockerfile.stages):
                return [(index, name)]
        return []

    def _image(self, index: int, stage: str) -> str:
        if (index, stage) not in self._images:
            level, built = self._levels[index]
            if stage:
                # It has been built, or need not have been: what was to be done anew has been done.
                settings = msgspec.structs.replace(level.settings, no_cache=False, no_cache_filter=frozenset())
                wanted = msgspec.structs.replace(level, target=stage, will_emit=False, settings=settings)
                built = self._engine.build(wanted)
            self._images[index, stage] = self._engine.publish(built, {}).image
        return f"{_IMAGE_PREFIX}{self._images[index, stage]}"


def _no_level(dockerfile: Dockerfile, stage: Stage, name: str, count: int) -> DockerfileError:
    lines = next(
        (one.location for one in (stage.base, *stage.instructions) if name in one.original),
        stage.base.location,
    )
    known = ", ".join(f"level:{number}" for number in range(count)) or "none: this is the first"
    error = DockerfileError(f"There is no {name} before this level.", hint=f"the levels before it: {known}")
    return located(dockerfile.document, lines.start, lines.end, error)
