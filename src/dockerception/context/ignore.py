"""``.dockerignore`` files: which paths of a context are left out.

The rules are those by which BuildKit walks a directory (patternmatcher's ``MatchesUsingParentResults``): the last
pattern that matches a path or one of its parents decides, and ``!`` makes it an exception.  A pattern is only tried
where it would change something; so after ``a/b`` and ``!a``, ``a/b`` stays ignored: ``a`` gave nothing to except, and
``a/b`` is not what ``!a`` names.

That the Dockerfile and the ignore file are found even when ignored is the caller's work.
"""

from __future__ import annotations

import os
import posixpath
from collections.abc import Iterable, Iterator
from itertools import groupby
from typing import TypeAlias

import msgspec

from ..errors import ContextError
from . import ignore_globs

# What a directory hands down to its entries: bit n says that run n of the rules matched it or one of its parents.
State: TypeAlias = int

DEFAULT_SOURCE = ".dockerignore"
_FEWEST_RUNS_THAT_EMPTY = 3

# strings.TrimSpace's idea of white space; str.strip() would take the four separators before the space as well.
_SPACE = "\t\n\v\f\r \x85\xa0\u1680\u2028\u2029\u202f\u205f\u3000" + "".join(map(chr, range(0x2000, 0x200B)))


class Pattern(msgspec.Struct, frozen=True):
    """One line of an ignore file, cleaned; a leading ``!`` is part of ``text``.  ``line`` counts from 1, 0 is none."""

    text: str
    line: int = 0
    source: str = DEFAULT_SOURCE

    @property
    def is_exception(self) -> bool:
        return self.text.startswith("!")

    @property
    def place(self) -> str:
        """Where it was written, for messages: ``.dockerignore, line 3``."""
        return f"{self.source}, line {self.line}" if self.line else self.source


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """Neighbouring patterns of one kind: within them the order does not matter."""

    is_exception: bool
    patterns: tuple[Pattern, ...]
    globs: ignore_globs.Globs

    def first_match(self, path: str) -> Pattern:
        """The pattern that makes ``globs`` match ``path``; call it only where they do."""
        return next(pattern for pattern in self.patterns if ignore_globs.union([_glob(pattern)]).matches(path))


class IgnoreRules(msgspec.Struct, frozen=True, kw_only=True):
    """The compiled rules of one file.  Paths are relative and clean; the root ("" or ".") is never ignored.

    A depth-first walk hands ``start()`` to the entries of the root and to every other entry the state that ``check``
    gave for its directory; that costs one match an entry.  ``is_ignored`` gives the same answer for a lone path.
    """

    runs: tuple[Run, ...]
    ignoring: ignore_globs.Globs
    reaches: tuple[ignore_globs.Reach, ...]

    def start(self) -> State:
        """The state to check the entries of the root with."""
        return 0

    def check(self, parent: State, path: str) -> tuple[bool, State]:
        """Whether ``path`` is ignored, and the state for what lies below it; ``parent`` is its directory's state."""
        state, is_ignored = 0, False
        if not parent and not self.ignoring.matches(path):
            return is_ignored, state  # the usual case, at the cost of one match however many runs there are
        for number, run in enumerate(self.runs):
            bit = 1 << number
            if parent & bit or (run.is_exception is is_ignored and run.globs.matches(path)):
                state |= bit
                is_ignored = not run.is_exception
        return is_ignored, state

    def is_ignored(self, path: str) -> bool:
        """Whether ``path`` is left out, by itself or with one of its parents."""
        is_ignored, state = False, self.start()
        for step in _steps(path):
            is_ignored, state = self.check(state, step)
        return is_ignored

    def is_emptied(self, path: str) -> bool:
        """Whether ``path``, which is not ignored, is a file without its content in BuildKit's context.

        BuildKit asks twice: which paths to send, by the rules of the walk, and which files to open, by the last pattern
        that matches the file or a directory above it.  After ``**``, ``!**/*.go`` and ``vendor`` the two differ.
        """
        if len(self.runs) < _FEWEST_RUNS_THAT_EMPTY:
            return False
        is_ignored, steps = False, list(_steps(path))
        for run in self.runs:
            if run.is_exception is is_ignored and any(map(run.globs.matches, steps)):
                is_ignored = not run.is_exception
        return is_ignored

    def may_contain_exceptions(self, directory: str) -> bool:
        """Whether an exception may bring back something below ``directory``, which is ignored.

        Otherwise a walk may leave it out unread.  This prunes at least what BuildKit's walk does, and more where
        exceptions hold wildcards: ``!*.md`` reaches no subdirectory.
        """
        return any(reach.goes_below(directory) for reach in self.reaches)

    def explain(self, path: str) -> Pattern | None:
        """The pattern that decided about ``path``; None if none matched, so that it is kept."""
        state, states = self.start(), []
        for step in _steps(path):
            _, state = self.check(state, step)
            states.append((step, state))
        if not state:
            return None
        last = state.bit_length() - 1
        origin = next(step for step, reached in states if reached >> last & 1)
        return self.runs[last].first_match(origin)


def read(data: bytes, source: str = DEFAULT_SOURCE) -> tuple[Pattern, ...]:
    """The patterns of an ignore file, in order; ``source`` is its name in messages.

    A line that starts with ``#`` in its first column is a comment.  Others are trimmed, cleaned as by
    ``filepath.Clean`` and lose one leading slash; empty ones are skipped.  Raises ``ContextError`` for a file with NUL
    bytes: UTF-16 would be read as patterns that match nothing, and everything would be sent.
    """
    lines = data.removeprefix(b"\xef\xbb\xbf").split(b"\n")
    found = []
    for number, raw in enumerate(lines, start=1):
        if b"\0" in raw:
            raise ContextError(f"{source}, line {number}: there is a NUL byte.", hint="save the file as UTF-8 text")
        text = os.fsdecode(raw)
        if not text.startswith("#") and (text := text.strip(_SPACE)):
            found.append(Pattern(_normalised(text), number, source))
    return tuple(found)


def compile(patterns: Iterable[Pattern]) -> IgnoreRules:
    """Make rules of patterns, in their order; raises ``ContextError`` with file and line for one that is malformed."""
    runs = []
    kept = [_checked(pattern) for pattern in patterns]
    for is_exception, group in groupby(kept, key=lambda pattern: pattern.is_exception):
        members = tuple(group)
        globs = ignore_globs.union(map(_glob, members))
        runs.append(Run(is_exception=is_exception, patterns=members, globs=globs))
    ignoring = ignore_globs.union(_glob(pattern) for pattern in kept if not pattern.is_exception)
    reaches = tuple(ignore_globs.reach(_glob(pattern)) for pattern in kept if pattern.is_exception)
    return IgnoreRules(runs=tuple(runs), ignoring=ignoring, reaches=reaches)


def find_rules(path: str) -> IgnoreRules | None:
    """The rules of an ignore file on this machine; None if there is none.  Raises ``ContextError``."""
    try:
        with open(path, "rb") as file:
            return compile(read(file.read(), source=os.path.basename(path)))
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise ContextError(f"{path} can't be read: {error.strerror}.") from error


def _normalised(text: str) -> str:
    mark = "!" if text.startswith("!") else ""
    path = text[len(mark) :].strip(_SPACE)
    if not path:
        return mark
    path = _clean(path)
    return mark + (path[1:] if len(path) > 1 and path.startswith("/") else path)


def _checked(pattern: Pattern) -> Pattern:
    """A pattern as patternmatcher takes it: it trims and cleans once more, "!" included, and checks the syntax."""
    pattern = Pattern(_clean(pattern.text.strip(_SPACE)), pattern.line, pattern.source)
    if pattern.text == "!":
        raise ContextError(
            f"{pattern.place}: “!” names nothing to make an exception for.",
            hint="write a pattern after it, as in !*.md",
        )
    try:
        ignore_globs.check(_glob(pattern))
    except ContextError as error:
        raise ContextError(f"{pattern.place}: {error.message}", hint=error.hint) from error
    return pattern


def _glob(pattern: Pattern) -> str:
    return pattern.text.removeprefix("!")


def _clean(path: str) -> str:
    """Go's ``filepath.Clean``; ``normpath`` differs in that POSIX keeps two leading slashes."""
    return posixpath.normpath("/" + path.lstrip("/") if path.startswith("/") else path)


def _steps(path: str) -> Iterator[str]:
    """``a``, ``a/b``, ``a/b/c`` of ``a/b/c``; nothing of the root."""
    if path in ("", "."):
        return
    end = path.find("/")
    while end != -1:
        yield path[:end]
        end = path.find("/", end + 1)
    yield path
