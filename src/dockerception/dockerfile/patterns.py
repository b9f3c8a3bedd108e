"""The patterns of ``${name#pattern}``, ``${name%pattern}`` and ``${name/pattern/text}``.

``*`` is any run of characters, ``?`` any one, ``\\`` makes the next of ``* ? \\`` ordinary; there are no bracket
expressions (Dockerfile reference, "Environment replacement").  Matching walks the set of places that a prefix of the
pattern can end at, so no pattern is slow on any value.
"""

from __future__ import annotations

from collections.abc import Sequence

from ..errors import DockerfileError

_ANY = "*"
_ONE = "?"


def without_prefix(value: str, pattern: str, *, longest: bool) -> str:
    """``value`` without the shortest or longest start that matches ``pattern``."""
    ends = _ends(_tokens(pattern), value, 0)
    return value[max(ends) if longest else min(ends) :] if ends else value


def without_suffix(value: str, pattern: str, *, longest: bool) -> str:
    """``value`` without the shortest or longest end that matches ``pattern``."""
    ends = _ends(_tokens(pattern)[::-1], value[::-1], 0)
    return value[: len(value) - (max(ends) if longest else min(ends))] if ends else value


def replaced(value: str, pattern: str, replacement: str, *, everywhere: bool) -> str:
    """``value`` with the leftmost longest match of ``pattern``, or every one, replaced."""
    tokens = _tokens(pattern)
    pieces: list[str] = []
    position, last_end = 0, -1
    while position <= len(value):
        ends = _ends(tokens, value, position)
        end = max(ends, default=-1)
        # An empty match right behind the match before is none: "abc" with "*" is replaced once.
        if end > position or (end == position and position != last_end):
            pieces.append(replacement)
            last_end = end
            if not everywhere:
                return "".join(pieces) + value[end:]
            if end > position:
                position = end
                continue
        pieces.append(value[position : position + 1])
        position += 1
    return "".join(pieces)


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


def _ends(tokens: Sequence[tuple[str, str]], value: str, start: int) -> set[int]:
    """Every place where a match that begins at ``start`` can end."""
    places = {start}
    for kind, char in tokens:
        if kind == _ANY:
            first = min(places)
            places = set(range(first, len(value) + 1))
        else:
            places = {at + 1 for at in places if at < len(value) and (kind == _ONE or value[at] == char)}
        if not places:
            break
    return places
