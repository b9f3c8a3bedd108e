"""Contexts made of contexts: a subtree, a filtered one, several merged, and the empty one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import msgspec

from ..errors import ContextError
from ..oci.entry import DIRECTORY, HARDLINK, Entry, join
from .base import Context
from .ignore import IgnoreRules
from .select import HashesAhead
from .stacked import StackedContext


def merged(contexts: Sequence[Context], *, origin: str, keeps_owners: bool = False) -> StackedContext:
    """Several contexts as one: of two files with one path, that of the later context counts; directories merge."""
    return StackedContext([_ContextTree(context) for context in contexts], origin=origin, keeps_owners=keeps_owners)


def empty(origin: str = "the empty context") -> StackedContext:
    """A context without files (``assemble -f -``)."""
    return merged((), origin=origin)


class Subtree:
    """What is inside one directory of a context, as a context (see ``base.Context`` for the methods).

    ``path`` is resolved before.  Hard links to files outside are files.  ``keeps_owners`` is the context's own unless
    it is given.  Raises ``ContextError`` if it is no directory.
    """

    def __init__(self, context: Context, path: str, *, keeps_owners: bool | None = None) -> None:
        entry = context.find(path)
        if entry is None or entry.kind != DIRECTORY:
            what = "does not exist" if entry is None else f"is a {entry.kind}, no directory"
            raise ContextError(f"{path} of {context.origin} {what}.")
        self._context = context
        self._path = path
        self._skip = len(path) + 1 if path else 0
        self._keeps_owners = context.keeps_owners if keeps_owners is None else keeps_owners

    @property
    def keeps_owners(self) -> bool:
        return self._keeps_owners

    @property
    def origin(self) -> str:
        return f"the directory {self._path or '/'} of {self._context.origin}"

    def find(self, path: str) -> Entry | None:
        entry = self._context.find(self._inner(path))
        return None if entry is None else self._seen(entry)

    def children(self, path: str) -> Iterator[Entry]:
        return map(self._seen, self._context.children(self._inner(path)))

    def walk(self, path: str) -> Iterator[Entry]:
        return map(self._seen, self._context.walk(self._inner(path)))

    def digest(self, entry: Entry) -> bytes:
        return self._context.digest(_existing(self._context, self._inner(entry.path)))

    def digest_below(self, path: str) -> None:
        """Find the digests of all files at and below ``path``, if the context can do many at once."""
        if isinstance(self._context, HashesAhead):
            self._context.digest_below(self._inner(path))

    def read(self, entry: Entry) -> Iterator[bytes | memoryview]:
        return self._context.read(_existing(self._context, self._inner(entry.path)))

    def _inner(self, path: str) -> str:
        return join(self._path, path) if path else self._path

    def _seen(self, entry: Entry) -> Entry:
        path = entry.path[self._skip :]
        if entry.kind != HARDLINK:
            return msgspec.structs.replace(entry, path=path)
        if not self._path or entry.link.startswith(self._path + "/"):
            return msgspec.structs.replace(entry, path=path, link=entry.link[self._skip :])
        return msgspec.structs.replace(_existing(self._context, entry.link), path=path)


class Filtered:
    """A context without what the rules ignore (see ``base.Context`` for the methods).

    Ignored directories are seen where an exception brings something in them back.  Hard links to what is ignored are
    files.
    """

    def __init__(self, context: Context, rules: IgnoreRules) -> None:
        self._context = context
        self._rules = rules

    @property
    def keeps_owners(self) -> bool:
        return self._context.keeps_owners

    @property
    def origin(self) -> str:
        return self._context.origin

    def find(self, path: str) -> Entry | None:
        entry = self._context.find(path)
        return self._seen(entry) if entry is not None and self._is_visible(entry) else None

    def children(self, path: str) -> Iterator[Entry]:
        return (self._seen(entry) for entry in self._context.children(path) if self._is_visible(entry))

    def walk(self, path: str) -> Iterator[Entry]:
        waiting: list[Entry] = []
        for entry in self._context.walk(path):
            while waiting and not entry.path.startswith(waiting[-1].path + "/"):
                waiting.pop()
            if not self._rules.is_ignored(entry.path):
                yield from waiting
                waiting.clear()
                yield self._seen(entry)
            elif entry.kind == DIRECTORY:
                waiting.append(entry)

    def digest(self, entry: Entry) -> bytes:
        return self._context.digest(_existing(self._context, entry.path))

    def read(self, entry: Entry) -> Iterator[bytes | memoryview]:
        return self._context.read(_existing(self._context, entry.path))

    def _is_visible(self, entry: Entry) -> bool:
        if not self._rules.is_ignored(entry.path):
            return True
        if entry.kind != DIRECTORY or not self._rules.may_contain_exceptions(entry.path):
            return False
        return any(not self._rules.is_ignored(below.path) for below in self._context.walk(entry.path))

    def _seen(self, entry: Entry) -> Entry:
        if entry.kind == HARDLINK and self._rules.is_ignored(entry.link):
            return msgspec.structs.replace(_existing(self._context, entry.link), path=entry.path)
        return entry


class _ContextTree:
    """A context as one tree of a stack."""

    def __init__(self, context: Context) -> None:
        self._context = context

    def find(self, path: str) -> Entry | None:
        return self._context.find(path) if path else None

    def members(self, path: str) -> Iterable[tuple[str, Entry | None]]:
        return ((entry.path, entry) for entry in self._context.children(path))

    def has_below(self, path: str) -> bool:
        return False

    def digest(self, entry: Entry) -> bytes:
        return self._context.digest(entry)

    def read(self, entry: Entry) -> Iterator[bytes | memoryview]:
        return self._context.read(entry)


def _existing(context: Context, path: str) -> Entry:
    entry = context.find(path)
    if entry is None:
        raise ContextError(f"There is no {path} in {context.origin}.")
    return entry
