"""Several contexts as one, each in a directory of its own: the other way round than ``compose.Subtree``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import msgspec

from ..oci.entry import DIRECTORY, HARDLINK, Entry, join
from .base import Context


class Folders:
    """See ``base.Context`` for the methods.  ``contexts`` are by the names of their directories, which have no slash.

    The directories themselves are 0755 and 0:0.  Owners count if they do in all of the contexts.
    """

    def __init__(self, contexts: Mapping[str, Context], *, origin: str) -> None:
        self._contexts = dict(sorted(contexts.items()))
        self.origin = origin
        self.keeps_owners = all(context.keeps_owners for context in contexts.values())

    def find(self, path: str) -> Entry | None:
        name, _, inner = path.partition("/")
        if not inner:
            return _directory(path) if not path or name in self._contexts else None
        entry = self._contexts[name].find(inner) if name in self._contexts else None
        return None if entry is None else _seen(name, entry)

    def children(self, path: str) -> Iterator[Entry]:
        if not path:
            return map(_directory, self._contexts)
        name, _, inner = path.partition("/")
        return (_seen(name, entry) for entry in self._contexts[name].children(inner))

    def walk(self, path: str) -> Iterator[Entry]:
        name, _, inner = path.partition("/")
        if inner:
            yield from (_seen(name, entry) for entry in self._contexts[name].walk(inner))
            return
        for folder in (name,) if name else self._contexts:
            yield _directory(folder)
            yield from (_seen(folder, entry) for entry in self._contexts[folder].walk("") if entry.path)

    def digest(self, entry: Entry) -> bytes:
        name, _, inner = entry.path.partition("/")
        return self._contexts[name].digest(_inside(name, inner, entry))

    def read(self, entry: Entry) -> Iterator[bytes | memoryview]:
        name, _, inner = entry.path.partition("/")
        return self._contexts[name].read(_inside(name, inner, entry))


def _directory(path: str) -> Entry:
    return Entry(path=path, kind=DIRECTORY, mode=0o755)


def _seen(name: str, entry: Entry) -> Entry:
    link = join(name, entry.link) if entry.kind == HARDLINK else entry.link
    return msgspec.structs.replace(entry, path=join(name, entry.path), link=link)


def _inside(name: str, inner: str, entry: Entry) -> Entry:
    link = entry.link.removeprefix(f"{name}/") if entry.kind == HARDLINK else entry.link
    return msgspec.structs.replace(entry, path=inner, link=link)
