"""The lexical ground that every layer of the front end stands on: white space, JSON arrays, suggestions, excerpts."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

import msgspec

from ..errors import DockerfileError

# What BuildKit takes for white space when it trims and splits words (Unicode's White_Space).  Python's own idea
# also has U+001C to U+001F, so str.strip() and str.split() without an argument would cut elsewhere.
SPACES = (
    "\t\n\v\f\r \x85\xa0\u1680"
    "\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u2028\u2029\u202f\u205f\u3000"
)
# What separates the arguments of an instruction: the ASCII ones only.
_BLANKS = re.compile("[\\t\\v\\f\\r ]+")
# Escapes of JSON: a pair of surrogates is one character; of those that are halves of none, Go makes U+FFFD.
_ESCAPE = re.compile(
    r"(\\u[dD][89aAbB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2})|(\\u[dD][89a-fA-F][0-9a-fA-F]{2})|\\.", re.DOTALL
)
_BRACKET_OR_STRING = re.compile(r'"(?:\\.|[^"\\])*"|[\[\]]', re.DOTALL)
_WIDEST_LINE = 160
_LONGEST_SLIP = 40


def split_arguments(text: str, cuts: int = 0) -> list[str]:
    """``text`` cut at runs of blanks, at most ``cuts`` times if that is not 0; quotes mean nothing here."""
    stripped = text.strip(SPACES)
    return _BLANKS.split(stripped, cuts) if stripped else []


def read_json(text: str) -> tuple[str, ...] | None:
    """The strings of a JSON array, or ``None`` where ``text`` begins with no JSON array: then it is the shell form.

    As in BuildKit nothing behind the array counts.  Raises ``DockerfileError`` for an array that holds anything but
    strings, as BuildKit does.
    """
    if not text.startswith("["):
        return None
    try:
        whole = _ESCAPE.sub(lambda escape: r"\ufffd" if escape[2] else escape[0], _first_array(text))
        values = msgspec.json.decode(whole.encode("utf-8", "surrogatepass"), type=list[object])
    except (msgspec.MsgspecError, RecursionError, UnicodeError):
        return None
    strings = tuple(value for value in values if isinstance(value, str))
    if len(strings) != len(values):
        raise DockerfileError(
            "A JSON array here must hold strings only.", hint='put every element in double quotes: ["sleep", "60"]'
        )
    if any("\0" in value for value in strings):
        raise DockerfileError("A string of this JSON array holds a NUL character.", hint="no path or argument can")
    return strings


def _first_array(text: str) -> str:
    """``text`` up to the bracket that closes the first one; all of it if none does."""
    depth = 0
    for mark in _BRACKET_OR_STRING.finditer(text):
        depth += {"[": 1, "]": -1}.get(mark[0], 0)
        if depth == 0:
            return text[: mark.end()]
    return text


def write_json(strings: Iterable[str]) -> str:
    """The JSON array as one line, in the spelling that ``docker history`` readers know."""
    return "[" + ", ".join(msgspec.json.encode(string).decode() for string in strings) + "]"


def did_you_mean(word: str, known: Iterable[str], otherwise: str = "") -> str:
    """A hint with the closest of the ``known`` words, or ``otherwise``."""
    close = close_match(word, known)
    return f"did you mean {close}?" if close else otherwise


def close_match(word: str, known: Iterable[str]) -> str:
    """The closest of the ``known`` words, empty if none is close."""
    from difflib import get_close_matches

    # Comparing takes quadratic time, and nothing long is a slip of a known word.
    close = get_close_matches(word, list(known), n=1, cutoff=0.6) if len(word) <= _LONGEST_SLIP else []
    return close[0] if close else ""


def excerpt_lines(name: str, lines: Sequence[str], start: int, end: int, context: int) -> str:
    """Lines ``start`` to ``end`` (from 1) of a file, marked with ``>>>``, and ``context`` lines on both sides."""
    first, last = max(1, start - context), min(len(lines), end + context)
    rows = [f"{name}:{start}", "-" * 20]
    for number in range(first, last + 1):
        mark = ">>>" if start <= number <= end else "   "
        rows.append(f"{number:4} | {mark} {_printable(lines[number - 1])}".rstrip())
    return "\n".join([*rows, "-" * 20])


def _printable(line: str) -> str:
    """``line`` for a terminal: no control characters that would act on it, and not endlessly wide."""
    shown = "".join(
        char if char == "\t" or char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in line.rstrip("\r")
    )
    return shown if len(shown) <= _WIDEST_LINE else shown[: _WIDEST_LINE - 1] + "…"
