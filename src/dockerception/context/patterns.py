"""The wildcards of COPY and ADD sources: those of Go's ``filepath.Match``, which Docker's reference points to.

``*`` is any run of characters without ``/``, ``?`` one character but ``/``, ``[a-z]`` and ``[^a-z]`` one of a set
(``/`` too, where the set holds it), and ``\\`` takes the next character as it is.  A pattern matches a whole name.
Where Go counts bytes of a name that it has cut inside a character, this module counts characters.
"""

from __future__ import annotations

import re
from functools import lru_cache

from ..errors import ContextError

# A set's member is no bare "-" or "]" and is valid UTF-8 (undecodable bytes are surrogates here).
_MEMBER = r"(?:\\[^\ud800-\udfff]|[^\\\]\-\ud800-\udfff])"
_RANGE = re.compile(rf"({_MEMBER})(?:-({_MEMBER}))?", re.DOTALL)
_TOKEN = re.compile(
    rf"(?P<stars>\*+)|(?P<any>\?)|\[(?P<set>\^?+(?:{_RANGE.pattern})+)\]|\\(?P<escaped>.)|(?P<literal>[^*?\[\\]+)",
    re.DOTALL,
)
_WILDCARD = re.compile(r"(?:[^\\*?\[]|\\.)*[*?\[]", re.DOTALL)


def match(pattern: str, name: str) -> bool:
    """Whether ``pattern`` matches all of ``name``; a malformed one raises ``ContextError``, whatever the name."""
    return translate(pattern).fullmatch(name) is not None


def has_wildcards(pattern: str) -> bool:
    """Whether ``pattern`` may match more than one name: it has a ``*``, ``?`` or ``[`` that no backslash precedes."""
    return _WILDCARD.match(pattern) is not None


@lru_cache(maxsize=1024)
def translate(pattern: str) -> re.Pattern[str]:
    """The regular expression whose ``fullmatch`` is ``match``; raises ``ContextError`` for a malformed pattern."""
    chunks = [""]
    position = 0
    while position < len(pattern):
        token = _TOKEN.match(pattern, position)
        if token is None:
            raise _malformed(pattern, position)
        if token["stars"]:
            chunks.append("")
        else:
            chunks[-1] += _one(token)
        position = token.end()
    return re.compile(_join(chunks), re.DOTALL)


def _one(token: re.Match[str]) -> str:
    """What stands for a token other than ``*``."""
    if token["any"]:
        return "[^/]"
    if token["set"]:
        return _set(token["set"])
    return re.escape(token["escaped"] or token["literal"])


def _set(text: str) -> str:
    """One set, given without its brackets.  A range that runs backwards holds nothing, as in Go."""
    ranges = []
    for low, high in _RANGE.findall(text.removeprefix("^")):
        first, last = low[-1], (high or low)[-1]
        if first <= last:
            ranges.append(f"{re.escape(first)}-{re.escape(last)}")
    is_negated = text.startswith("^")
    if not ranges:
        return "." if is_negated else "(?!)"
    return f"[{'^' if is_negated else ''}{''.join(ranges)}]"


def _join(chunks: list[str]) -> str:
    """Put the text between stars together.

    Go places what follows a star at the first spot where it fits and never comes back to it; an atomic group does
    the same, and keeps the time linear for patterns of many stars.  Only the last piece must reach the name's end.
    """
    first, *starred = chunks
    if not starred:
        return first
    *middle, last = starred
    return first + "".join(f"(?>[^/]*?{chunk})" for chunk in middle) + f"[^/]*{last}"


def _malformed(pattern: str, position: int) -> ContextError:
    if pattern[position] == "[":
        reason = f"the “[” at character {position + 1} opens no complete set"
        hint = (
            "write a set as [abc], [a-z] or [^a-z], with a backslash before “]”, “-” or a “[” that is meant literally"
        )
    else:
        reason = "it ends in a backslash"
        hint = "write two backslashes for one"
    return ContextError(f"“{pattern}” is not a valid pattern: {reason}.", hint=hint)
