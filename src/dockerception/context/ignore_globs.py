r"""The globs of ``.dockerignore`` as matchers: what patternmatcher's ``Pattern.match`` accepts, many globs at a time.

They are ``filepath.Match``'s and ``**``, which is any number of directories.  patternmatcher makes a regular
expression by plain replacement, and so does this module: ``[*]`` is no set that holds a star, ``[^a]`` takes a ``/``,
``^`` is the start, and ``\d`` and ``[[:digit:]]`` are digits.  Two things differ: a newline in a name is a character
like any other (in Go, ``**`` stops at it), and what only Go's expressions can say (``\b``, ``\pL``, ``\x41``,
``[[:^digit:]]``) is refused instead of read as something else.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable

import msgspec

from ..errors import ContextError
from . import ignore_steps, patterns
from .ignore_steps import Part, Steps

_SPECIAL = re.compile(r"[*?\[\]\\]")
_SPECIAL_OR_ANCHOR = re.compile(r"[*?\[\]\\^]")
_CROSSES_DIRECTORIES = re.compile(r"\*\*|[\[\\]")
_SUFFIX_AT_ANY_DEPTH = re.compile(r"\*\*/?\*([^/*?\[\]\\^]+)", re.DOTALL)
_NAME_AT_ANY_DEPTH = re.compile(r"\*\*/?((?:[^/*\[\]\\^]|\*(?!\*))+)", re.DOTALL)

# A star and what lies before the next star are one token if that is simple: see _translate.
_TOKEN = re.compile(r"\*\*/?|\*(?P<simple>[^*\[\]\\^]+)(?=\*(?!\*))|\\.|.", re.DOTALL)
_TOKEN_IN_SET = re.compile(r"\[:(?P<name>.*?):\]|\*\*/?|\\.|.", re.DOTALL)
_FLAGS = re.DOTALL | re.ASCII
_CLASS_ESCAPES = "dDsSwWafnrtv"
_NAMED_SETS = {
    "alnum": "0-9A-Za-z",
    "alpha": "A-Za-z",
    "ascii": r"\x00-\x7f",
    "blank": r"\t ",
    "cntrl": r"\x00-\x1f\x7f",
    "digit": "0-9",
    "graph": "!-~",
    "lower": "a-z",
    "print": " -~",
    "punct": r"!-/:-@\[-`{-~",
    "space": r"\t-\r ",
    "upper": "A-Z",
    "word": r"\w",
    "xdigit": "0-9A-Fa-f",
}


class Globs(msgspec.Struct, frozen=True, kw_only=True):
    """Several globs as one matcher.  What needs no regular expression has none: most files then cost only hashing.

    ``names`` is matched against a path's last component, ``paths`` and ``slow`` against the whole.
    """

    exact: frozenset[str]
    prefixes: tuple[str, ...]
    suffixes: tuple[str, ...]
    names: re.Pattern[str] | None
    paths: re.Pattern[str] | None
    slow: tuple[Steps, ...]

    def matches(self, path: str) -> bool:
        """Whether any of the globs matches ``path`` itself; its parents are not looked at."""
        return (
            path in self.exact
            or path.startswith(self.prefixes)
            or path.endswith(self.suffixes)
            or (self.names is not None and self.names.fullmatch(path, path.rfind("/") + 1) is not None)
            or (self.paths is not None and self.paths.fullmatch(path) is not None)
            or any(each.matches(path) for each in self.slow)
        )


def union(globs: Iterable[str]) -> Globs:
    """One matcher for all of ``globs``, which must have passed ``check``."""
    exact, prefixes, suffixes, names, paths, slow = [], [], [], [], [], []
    for glob in globs:
        if not _SPECIAL.search(glob):
            exact.append(glob)
        elif glob.startswith("**") and not _SPECIAL.search(glob, 2):
            suffixes.append(glob[2:])
            exact.append(glob[2:].removeprefix("/"))
        elif glob.endswith("**") and not _SPECIAL.search(glob[:-2]):
            prefixes.append(glob[:-2])
        elif suffix := _SUFFIX_AT_ANY_DEPTH.fullmatch(glob):
            suffixes.append(suffix[1])
        elif not ignore_steps.is_quick(parts := parts_of(glob)):
            slow.append(ignore_steps.steps(parts, _FLAGS))
        elif name := _NAME_AT_ANY_DEPTH.fullmatch(glob):
            names.append(_translate(name[1]))
        else:
            paths.append(_translate(glob))
    return Globs(
        exact=frozenset(exact),
        prefixes=tuple(prefixes),
        suffixes=tuple(suffixes),
        names=_alternatives(names),
        paths=_alternatives(paths),
        slow=tuple(slow),
    )


def check(glob: str) -> None:
    """Raise ``ContextError`` where a builder would refuse ``glob``."""
    patterns.translate(glob)
    try:
        _alternatives([_translate(glob)])
    except re.error as error:
        raise _refused(glob, f"it makes no regular expression ({error.msg})") from error
    parts = parts_of(glob)
    if not ignore_steps.is_quick(parts) and any(part.text in ("[]", "[^]") for part in parts):
        raise _refused(glob, "it has an empty set among its stars")  # whose bracket would begin another set


class Reach(msgspec.Struct, frozen=True, kw_only=True):
    """Where the matches of a glob can lie: below ``head`` ("" or ending in "/"), ``depth`` components deep at most."""

    head: str
    depth: int

    def goes_below(self, directory: str) -> bool:
        """Whether an entry below ``directory`` may match, given that ``directory`` itself does not."""
        inside = f"{directory}/" if directory else ""
        return inside.count("/") < self.depth and (inside.startswith(self.head) or self.head.startswith(inside))


def reach(glob: str) -> Reach:
    """How far ``glob`` reaches.  ``a/**`` counts as ``a/*``: it matches every directory on the way down."""
    if glob.endswith("/**"):
        glob = glob[:-1]
    special = _SPECIAL_OR_ANCHOR.search(glob)
    slash = glob.rfind("/", 0, special.start() if special else len(glob))
    depth = sys.maxsize if _CROSSES_DIRECTORIES.search(glob) else glob.count("/") + 1
    return Reach(head=glob[: slash + 1], depth=depth)


def _alternatives(expressions: list[str]) -> re.Pattern[str] | None:
    if not expressions:
        return None
    return re.compile("|".join(f"(?:{expression})" for expression in expressions), _FLAGS)


def _translate(glob: str) -> str:
    """The regular expression of a glob, without its ends."""
    return "".join(part.text for part in parts_of(glob))


def parts_of(glob: str) -> list[Part]:
    """The regular expression of a glob, in parts.

    Literals and "?" between two stars may be taken at the first spot where they fit, for good: the second star makes
    up for it.  Without that, matching would take time to the power of the number of stars.
    """
    parts: list[Part] = []
    members = ""
    position = 0
    while token := (_TOKEN_IN_SET if members else _TOKEN).match(glob, position):
        text, position = token[0], token.end()
        if text.startswith("**"):
            made = ignore_steps.ANYTHING if position == len(glob) else ignore_steps.DIRECTORIES
        elif text in ("*", "?") and not members:
            made = "[^/]" + text.replace("?", "")
        elif text in ("*", "?"):
            # Inside of a set plain replacement puts "[^/]" there, whose bracket then ends the set.
            parts.append(Part(members + r"\[^/]" + text.replace("?", ""), is_repeated=text == "*"))
            members = ""
            continue
        elif text in ("[", "]"):
            made = r"\[" if members and text == "[" else text
        else:
            made = _plain(glob, token)
        if not members and text == "[":
            members = made
        elif members and text == "]":
            parts.append(Part(members + made))
            members = ""
        elif members:
            members += made
        else:
            parts.append(Part(made))
    return [*parts, Part(members)] if members else parts


def _plain(glob: str, token: re.Match[str]) -> str:
    """What stands for a token that begins or ends nothing."""
    text, groups = token[0], token.groupdict()
    if groups.get("simple"):
        simple = re.escape(groups["simple"]).replace(r"\?", "[^/]")
        return f"(?>[^/]*?{simple})"
    if groups.get("name") is not None:
        if groups["name"] not in _NAMED_SETS:
            raise _refused(glob, f"“{text}” is no set of characters")
        return _NAMED_SETS[groups["name"]]
    if len(text) == 2:
        return _escape(glob, text[1])
    return text if text in "^-" else re.escape(text)


def _escape(glob: str, char: str) -> str:
    if char in _CLASS_ESCAPES:
        return "\\" + char
    if char.isalnum() or not char.isascii():
        raise _refused(glob, f"“\\{char}” does not stand for “{char}” in an ignore file")
    return re.escape(char)


def _refused(glob: str, reason: str) -> ContextError:
    return ContextError(
        f"“{glob}” is not a valid pattern: {reason}.",
        hint="a backslash is for * ? [ ] ^ - and itself; sets are written as [abc], [a-z] or [^a-z]",
    )
