r"""A glob of ``.dockerignore`` that takes several parts of any length, matched in steps.

A regular expression tries all ways to share a path out among ``**``, ``**`` and ``**``: on a path of a hundred
directories that takes hours.  Here the set of all places where a match can stand is carried from part to part.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

import msgspec

ANYTHING = ".*"
DIRECTORIES = "(.*/)?"
IN_NAME = "[^/]*"
_UNBOUNDED = (ANYTHING, DIRECTORIES, IN_NAME)
_QUICK = 2


class Part(msgspec.Struct, frozen=True):
    """A piece of a regular expression.  ``is_repeated`` marks a set that may match any number of times."""

    text: str
    is_repeated: bool = False

    @property
    def is_unbounded(self) -> bool:
        """Whether a regular expression would try several lengths for it."""
        return self.is_repeated or self.text in _UNBOUNDED


class Steps(msgspec.Struct, frozen=True):
    """The parts of one glob, with what lies between two of any length in one."""

    parts: tuple[tuple[Part, re.Pattern[str]], ...]

    def matches(self, path: str) -> bool:
        """Whether the glob matches the whole of ``path``."""
        places = {0}
        for part, pattern in self.parts:
            places = _after(part, pattern, path, places)
            if not places:
                return False
        return len(path) in places


def is_quick(parts: list[Part]) -> bool:
    """Whether a regular expression of these parts takes at most quadratic time; the last part has nothing to try."""
    return sum(part.is_unbounded for part in parts[:-1]) <= _QUICK


def steps(parts: list[Part], flags: re.RegexFlag) -> Steps:
    """The parts, ready to match."""
    joined = [(part, re.compile(part.text, flags)) for part in _joined(parts)]
    return Steps(tuple(joined))


def _joined(parts: Iterable[Part]) -> list[Part]:
    found: list[Part] = []
    for part in parts:
        if found and not part.is_unbounded and not found[-1].is_unbounded:
            found[-1] = Part(found[-1].text + part.text)
        else:
            found.append(part)
    return found


def _after(part: Part, pattern: re.Pattern[str], path: str, places: set[int]) -> set[int]:
    """Where a match can stand after this part, given where it can stand before it."""
    if not part.is_unbounded:
        return {found.end() for at in places if (found := pattern.match(path, at))}
    if part.text == ANYTHING:
        return set(range(min(places), len(path) + 1))
    if part.text == DIRECTORIES:
        first = min(places)
        return places | {at + 1 for at in range(first, len(path)) if path[at] == "/"}
    reached: set[int] = set()
    end = -1
    for at in sorted(places):
        if at > end:  # what begins inside of a longer run ends where that does
            found = pattern.match(path, at)
            end = found.end() if found else at
            reached.update(range(at, end + 1))
    return reached
