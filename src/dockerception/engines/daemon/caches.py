"""``--cache-from`` and ``--cache-to`` for a chain: a cache for each level, where one for all would hold the last only.

What names a cache (``ref``, ``dest``, ``src``, ``scope``, ``name``) is for level 0 as given, and ends with ``-level-N``
for the others.  All else is passed on.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from ..base import Settings

_NAMES: Final = ("ref", "dest", "src", "scope", "name")


def cache_options(settings: Settings, level: int) -> Iterator[str]:
    """The options of buildx for one level."""
    yield from (f"--cache-from={of_level(text, level)}" for text in settings.cache_from)
    yield from (f"--cache-to={of_level(text, level)}" for text in settings.cache_to)


def of_level(text: str, level: int) -> str:
    """One cache, as an option has it, for a level."""
    if level == 0:
        return text
    if "=" not in text:
        return _named(text, level)
    return ",".join(_attribute(part, level) for part in text.split(","))


def _attribute(part: str, level: int) -> str:
    key, equals, value = part.partition("=")
    return f"{key}{equals}{_named(value, level)}" if key.strip().lower() in _NAMES else part


def _named(value: str, level: int) -> str:
    """The name for a level; a digest names one cache only, so that it stays."""
    if "@" in value:
        return value
    has_tag = ":" in value.rpartition("/")[2]
    is_image = "/" in value and not value.startswith(("/", "."))
    return f"{value}:level-{level}" if is_image and not has_tag else f"{value}-level-{level}"
