"""What a bind mount shows, as layers of the store: those of a stage or an image, else one that is made of a context.

A directory of this machine can't be shown as it is: the build does not see what is ignored, and sees all owned by 0:0.
So what is bound of it is copied once into a layer, which is found again by its list of entries.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

import msgspec

from ...context.base import Context
from ...context.compose import Subtree
from ...errors import ContextError
from ...oci.entry import DIRECTORY, FILE, HARDLINK, Entry
from ...oci.toc import Toc, directory
from ...store.records import Record
from ...store.store import Store
from ...transports.canonical import LinkOrder
from . import keys
from .faces import Contents, Faces
from .reading import Bound

_FILE_NAME = "file"
"""Where a single file is in its layer."""


class BoundTrees:
    """Makes the layers of mounts, with their trees.  Threads may share it."""

    def __init__(self, store: Store, faces: Faces) -> None:
        self._store = store
        self._faces = faces

    def stacked(self, bound: Bound) -> tuple[tuple[str, ...], str]:
        """The layers, bottom first, and the path in them of what is bound."""
        if bound.files.layers is not None:
            self._faces.trees(bound.files.layers)
            return bound.files.layers, bound.path
        context, entry = bound.files.context, _existing(bound.files.context, bound.path)
        if entry.kind == DIRECTORY:
            return (self._copied(*_directory(Subtree(context, bound.path))),), ""
        return (self._copied(*_file(context, entry)),), _FILE_NAME

    def _copied(self, toc: Toc, contents: Contents) -> str:
        """A layer of these entries, which is made unless the store has it."""
        key = keys.derive("shown files", (("entries", hashlib.sha256(toc.encode()).digest()),))
        known = self._store.records.get(key)
        if known is not None and self._store.layers.find(known.decode()) is not None:
            self._faces.trees((known.decode(),))
            return known.decode()
        layer = self._faces.add(toc, contents, wants_tree=True, below=()).layer
        self._store.records.put([Record(key, layer.encode(), (f"layer:{layer}",))])
        return layer


def _file(context: Context, entry: Entry) -> tuple[Toc, Contents]:
    """The list of a single file, and how to read it."""
    file = _existing(context, entry.link) if entry.kind == HARDLINK else entry
    placed = _dressed(context, file, file)
    return Toc.of([directory(""), msgspec.structs.replace(placed, path=_FILE_NAME)]), lambda _: context.read(file)


def _directory(context: Context) -> tuple[Toc, Contents]:
    """The list of all files of a context, and how to read them."""
    links = LinkOrder(context.find, context.read)

    def entries() -> Iterator[Entry]:
        yield directory("")
        for entry in links.entries(context.walk("")):
            yield _dressed(context, entry, links.source(entry))

    return Toc.of(entries()), links.contents


def _dressed(context: Context, entry: Entry, source: Entry) -> Entry:
    """An entry as the build sees it, with its digest; ``source`` is the one that has its bytes."""
    digest = context.digest(source) if entry.kind == FILE else b""
    owner = (entry.uid, entry.gid) if context.keeps_owners else (0, 0)
    return msgspec.structs.replace(entry, uid=owner[0], gid=owner[1], digest=digest)


def _existing(context: Context, path: str) -> Entry:
    entry = context.find(path)
    if entry is None:
        raise ContextError(f"“{path}” is gone from {context.origin}.", hint="build again")
    return entry
