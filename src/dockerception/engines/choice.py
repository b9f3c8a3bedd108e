"""Which engine a build runs on: option, then ``DOCKERCEPTION_ENGINE``, then the user's config file, then ``embedded``.

The config file is ``$XDG_CONFIG_HOME/dockerception/config.toml`` (``~/.config/…``); its one key is ``engine``.
"""

from __future__ import annotations

import os
from typing import Final, Literal

import msgspec

from ..errors import UsageError

Name = Literal["embedded", "docker", "podman", "buildx"]

NAMES: Final[tuple[Name, ...]] = ("embedded", "docker", "podman", "buildx")
VARIABLE: Final = "DOCKERCEPTION_ENGINE"
_KEYS: Final = ("engine",)


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
    path = config_file()
    configured = _configured(path)
    return parse(configured, f"{path}: ") if configured else None


def parse(text: str, origin: str = "") -> Choice:
    """Read an engine's name; ``origin`` is put in front of the message of the ``UsageError``."""
    name, colon, builder = text.partition(":")
    for known in NAMES:
        if name == known and (not colon or (known == "buildx" and builder)):
            return Choice(known, builder)
    raise UsageError(
        f"{origin}“{text}” is not an engine.", hint=f"there are: {', '.join(NAMES)}; and buildx:BUILDER for one builder"
    )


def config_file() -> str:
    """The path of the user's config file, which may not exist."""
    # As platformdirs has it on Linux, whose import would cost every build more than reading the file.
    folder = os.environ.get("XDG_CONFIG_HOME") or os.path.join(os.path.expanduser("~"), ".config")
    return os.path.join(folder, "dockerception", "config.toml")


def _configured(path: str) -> str:
    try:
        with open(path, "rb") as file:
            data = file.read()
    except (FileNotFoundError, NotADirectoryError):
        return ""
    except OSError as error:
        raise UsageError(f"{path} can't be read: {error.strerror}.") from error
    import tomllib

    try:
        document = tomllib.loads(data.decode())
    except ValueError as error:
        raise UsageError(f"{path} is not a TOML document: {error}.") from error
    unknown = next((key for key in document if key not in _KEYS), "")
    if unknown:
        raise UsageError(f"{path} has an unknown key “{unknown}”.", hint=f"it may have: {', '.join(_KEYS)}")
    return str(document.get("engine", ""))
