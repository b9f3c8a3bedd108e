"""The patterns of ``${name#pattern}``, ``${name%pattern}`` and ``${name/pattern/text}``.

``*`` is any run of characters, ``?`` any one, ``\\`` makes the next of ``* ? \\`` ordinary; there are no bracket
expressions (Dockerfile reference, "Environment replacement").  As in BuildKit, neither ``*`` nor ``?`` matches the end
of a line.  Matching walks the set of places that a prefix of the pattern can end at, so no pattern is slow on any
value.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from ..errors import DockerfileError

_ANY = "*"
_ONE = "?"
_REFERENCE = re.compile(r"\$(?:\$|\w+|\{\w+\})")


def without_prefix(value: str, pattern: str, *, longest: bool) -> str:
    """``value`` without the shortest or longest start that matches ``pattern``."""
    ends = _ends(_tokens(pattern), value, 0)
    return value[max(ends) if longest else min(ends) :] if ends else value


def without_suffix(value: str, pattern: str, *, longest: bool) -> str:
    """``value`` without the shortest or longest end that matches ``pattern``."""
    ends = _ends(_tokens(pattern)[::-1], value[::-1], 0)
    return value[: len(value) - (max(ends) if longest else min(ends))] if ends else value


def replaced(value: str, pattern: str, replacement: str, *, everywhere: bool) -> str:
    """``value`` with the leftmost longest match of ``pattern``, or every one, replaced.

    As in BuildKit, a ``$`` that is left in the text for every match is Go's: ``$0`` is the match, another name is
    nothing, and ``$$`` is a ``$``.
    """
    tokens = _tokens(pattern)
    starts = _starts(tokens, value)
    pieces: list[str] = []
    position, last_end = 0, -1
    while position <= len(value):
        end = max(_ends(tokens, value, position), default=-1) if position in starts else -1
        # An empty match right behind the match before is none: "abc" with "*" is replaced once.
        if end > position or (end == position and position != last_end):
            pieces.append(_filled(replacement, value[position:end]) if everywhere else replacement)
            last_end = end
            if not everywhere:
                return "".join(pieces) + value[end:]
            if end > position:
                position = end
                continue
        pieces.append(value[position : position + 1])
        position += 1
    return "".join(pieces)


def _filled(template: str, match: str) -> str:
    if "$" not in template:
        return template
    known = {"$$": "$", "$0": match, "${0}": match}
    return _REFERENCE.sub(lambda found: known.get(found[0], ""), template)


def _tokens(pattern: str) -> list[tuple[str, str]]:
    """Pairs of kind (``*``, ``?`` or empty for an ordinary character) and character."""
    tokens: list[tuple[str, str]] = []
    position = 0
    while position < len(pattern):
        char = pattern[position]
        position += 1
        if char == "\\":
            following = pattern[position : position + 1]
            if following in ("}", "/"):  # escaped for ${} itself, so the backslash is not the pattern's
                continue
            if following not in ("*", "?", "\\"):
                raise DockerfileError(
                    f"The pattern “{pattern}” has a “\\” before “{following}”.",
                    hint="only \\*, \\? and \\\\ are escapes",
                )
            tokens.append(("", following))
            position += 1
        else:
            tokens.append((char if char in (_ANY, _ONE) else "", char))
    return tokens


def _starts(tokens: Sequence[tuple[str, str]], value: str) -> set[int]:
    """Every place where a match begins: where one ends that is read backwards."""
    ends = _matched(tokens[::-1], value[::-1], set(range(len(value) + 1)))
    return {len(value) - end for end in ends}


def _ends(tokens: Sequence[tuple[str, str]], value: str, start: int) -> set[int]:
    """Every place where a match that begins at ``start`` can end."""
    return _matched(tokens, value, {start})


def _matched(tokens: Sequence[tuple[str, str]], value: str, places: set[int]) -> set[int]:
    """Every place where a match can end that begins at one of ``places``."""
    for kind, char in tokens:
        if kind == _ANY:
            places = _to_ends_of_lines(places, value)
        elif kind == _ONE:
            places = {at + 1 for at in places if at < len(value) and value[at] != "\n"}
        else:
            places = {at + 1 for at in places if at < len(value) and value[at] == char}
        if not places:
            break
    return places


def _to_ends_of_lines(places: set[int], value: str) -> set[int]:
    """All places from each of ``places`` to the end of its line."""
    reached: set[int] = set()
    end = -1
    for first in sorted(places):
        if first > end:
            found = value.find("\n", first)
            end = len(value) if found < 0 else found
            reached.update(range(first, end + 1))
    return reached
