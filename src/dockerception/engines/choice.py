"""Which engine a build runs on: option, ``DOCKERCEPTION_ENGINE``, the user's config file, else ``embedded``."""

from __future__ import annotations

import os
from typing import Final, Literal

import msgspec

from .. import user_config
from ..errors import UsageError

Name = Literal["embedded", "docker", "podman", "buildx"]

NAMES: Final[tuple[Name, ...]] = ("embedded", "docker", "podman", "buildx")
VARIABLE: Final = "DOCKERCEPTION_ENGINE"


class Choice(msgspec.Struct, frozen=True):
    """An engine by its name.  ``builder`` is what follows the colon of ``buildx:BUILDER``."""

    name: Name
    builder: str = ""

    def __str__(self) -> str:
        return f"{self.name}:{self.builder}" if self.builder else self.name


def choose(text: str) -> Choice:
    """The engine that ``text`` names; for an empty text, the one that environment or config file name.

    Raises ``UsageError``, which says where a wrong name comes from.
    """
    return parse(text) if text else preferred() or Choice(NAMES[0])


def preferred() -> Choice | None:
    """The engine that the environment or the config file name; None where neither does."""
    variable = os.environ.get(VARIABLE, "")
    if variable:
        return parse(variable, f"{VARIABLE}: ")
    config = user_config.load()
    return parse(config.engine, f"{config.path}: ") if config.engine else None


def parse(text: str, origin: str = "") -> Choice:
    """Read an engine's name; ``origin`` is put in front of the message of the ``UsageError``."""
    name, colon, builder = text.partition(":")
    for known in NAMES:
        if name == known and (not colon or (known == "buildx" and builder)):
            return Choice(known, builder)
    raise UsageError(
        f"{origin}“{text}” is not an engine.", hint=f"there are: {', '.join(NAMES)}; and buildx:BUILDER for one builder"
    )
