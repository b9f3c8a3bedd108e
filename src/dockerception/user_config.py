"""The user's config file: ``$XDG_CONFIG_HOME/dockerception/config.toml`` (``~/.config/…``).

    engine = "buildx:cluster"
    keep-storage = "50g"

    [registries."docker.io"]
    mirrors = ["https://cache.example/hub"]

    [registries."registry.lan:5000"]
    insecure = true

It is weaker than the environment, which is weaker than options.  docs/reference/config.md is the reference.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import Any, Final

import msgspec

from . import sizes
from .errors import UsageError


class RegistryConfig(msgspec.Struct, frozen=True, kw_only=True):
    """What the file says of a registry.  ``ca`` are paths of certificates to trust, with ``~`` expanded."""

    mirrors: tuple[str, ...] = ()
    insecure: bool = False
    ca: tuple[str, ...] = ()


class UserConfig(msgspec.Struct, frozen=True, kw_only=True):
    """The file as values; everything is empty where there is no file.  ``path`` is where it is, or would be;
    ``keep_storage`` is the store's cap in bytes."""

    path: str
    engine: str = ""
    keep_storage: int | None = None
    registries: Mapping[str, RegistryConfig] = {}


def path() -> str:
    """The path of the user's config file, which may not exist."""
    # As platformdirs has it on Linux, whose import would cost every build more than reading the file.
    folder = os.environ.get("XDG_CONFIG_HOME") or os.path.join(os.path.expanduser("~"), ".config")
    return os.path.join(folder, "dockerception", "config.toml")


def load() -> UserConfig:
    """Read the file.  Raises ``UsageError`` that names the file and tells all its mistakes together."""
    where = path()
    try:
        with open(where, "rb") as file:
            data = file.read()
    except (FileNotFoundError, NotADirectoryError):
        return UserConfig(path=where)
    except OSError as error:
        raise UsageError(f"{where} can't be read: {error.strerror}.") from error
    import tomllib

    try:
        document = tomllib.loads(data.decode())
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{where} is not a TOML document: {error}.") from error
    return _read(where, document)


def _read(where: str, document: Mapping[str, Any]) -> UserConfig:
    mistakes: list[str] = []
    found = _fields(document, _TOP, "", mistakes)
    registries: dict[str, RegistryConfig] = {}
    for host, table in found.pop("registries", {}).items():
        key = f'registries."{host}"'
        if isinstance(table, dict):
            registries[host] = RegistryConfig(**_fields(table, _REGISTRY, f"{key}.", mistakes))
        else:
            mistakes.append(f"{key} is not a table")
    if mistakes:
        there = f"{', '.join(_TOP)}; in registries: {', '.join(_REGISTRY)}"
        raise UsageError(f"{where} has mistakes: {'; '.join(mistakes)}.", hint=f"the keys are {there}")
    return UserConfig(path=where, registries=registries, **found)


def _fields(table: Mapping[str, Any], known: Mapping[str, _Kind], prefix: str, mistakes: list[str]) -> dict[str, Any]:
    """The values of a table; what is wrong with it is added to ``mistakes``."""
    values = {}
    for key, value in table.items():
        if key not in known:
            mistakes.append(f"{prefix}{key} is unknown")
            continue
        kind, read = known[key]
        try:
            values[key.replace("-", "_")] = read(value)
        except TypeError:
            mistakes.append(f"{prefix}{key} is not {kind}")
    return values


def _text(value: object) -> str:
    if not isinstance(value, str) or not value:
        raise TypeError
    return value


def _cap(value: object) -> int:
    try:
        return sizes.cap(_text(value))
    except UsageError as error:
        raise TypeError from error


def _flag(value: object) -> bool:
    if not isinstance(value, bool):
        raise TypeError
    return value


def _texts(value: object) -> tuple[str, ...]:
    return tuple(map(_text, value)) if isinstance(value, list) else (_text(value),)


def _paths(value: object) -> tuple[str, ...]:
    return tuple(map(os.path.expanduser, _texts(value)))


def _table(value: object) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise TypeError
    return value


_Kind = tuple[str, Callable[[Any], Any]]
_TOP: Final[Mapping[str, _Kind]] = {
    "engine": ("a text", _text),
    "keep-storage": ("a size such as 50g, or none", _cap),
    "registries": ("a table", _table),
}
_REGISTRY: Final[Mapping[str, _Kind]] = {
    "mirrors": ("a list of texts", _texts),
    "insecure": ("true or false", _flag),
    "ca": ("a path or a list of paths", _paths),
}
