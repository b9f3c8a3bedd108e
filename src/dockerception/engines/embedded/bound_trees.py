"""What a bind mount shows, as layers of the store: those of a stage or an image, else one that is made of a context.

A directory of this machine can't be shown as it is: the build does not see what is ignored, and sees all owned by 0:0.
So what is bound of it is copied once into a layer, which is found again by its list of entries; and when some files
have changed, only those are copied, into a layer on top of what was shown before.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Final

import msgspec

from ...context.base import Context
from ...context.compose import Subtree
from ...errors import ContextError
from ...oci.documents import recorded
from ...oci.entry import DIRECTORY, FILE, HARDLINK, NO_OFFSET, Entry, name
from ...oci.tarwriter import WHITEOUT_PREFIX
from ...oci.toc import Toc, directory
from ...store.records import Record
from ...store.store import Store
from ...transports.canonical import LinkOrder
from . import keys
from .context_changes import difference
from .faces import Contents, Faces
from .reading import Bound

_FILE_NAME: Final = "file"
"""Where a single file is in its layer."""

_MAX_LAYERS: Final = 16
"""With that many changes on top of each other, all is copied again."""

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(tuple[str, ...]).decode


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
        if entry.kind != DIRECTORY:
            return self._copied(*_file(context, entry), place=""), _FILE_NAME
        part = Subtree(context, bound.path)
        return self._copied(*_directory(part), place=part.origin), ""

    def _copied(self, toc: Toc, contents: Contents, place: str) -> tuple[str, ...]:
        """Layers that show these entries, made unless the store has them.

        ``place`` tells where they come from: the next time, what has changed there since is all that is copied.
        """
        key = keys.derive("shown files", (("entries", hashlib.sha256(toc.encode()).digest()),))
        layers = self._known(key)
        if layers:
            self._faces.trees(layers)
            return layers
        # Only this store uses that key, so a local path may be in it.
        latest = keys.derive("shown before", (("place", place),))
        layers = self._extended(self._known(latest) if place else (), toc, contents)
        kept = tuple(f"layer:{layer}" for layer in layers)
        self._store.records.put([Record(each, _encode(layers), kept) for each in (key, latest)])
        return layers

    def _extended(self, before: tuple[str, ...], toc: Toc, contents: Contents) -> tuple[str, ...]:
        """What was shown before, with a layer for the difference; or one layer of all where that is no gain."""
        if 0 < len(before) < _MAX_LAYERS:
            change = difference(toc, self._faces.view(before, "what was shown before"))
            if change is not None and change.size <= toc.size // 2:
                return (*before, self._faces.add(change, contents, wants_tree=True, below=before).layer)
        return (self._faces.add(toc, contents, wants_tree=True, below=()).layer,)

    def _known(self, key: str) -> tuple[str, ...]:
        layers = recorded(_decode, self._store.records.get(key)) or ()
        return layers if self._store.layers.find_all(layers) else ()


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
    if name(entry.path).startswith(WHITEOUT_PREFIX):
        raise ContextError(
            f"“{entry.path}” of {context.origin} can't be shown: {WHITEOUT_PREFIX} begins the name of a removal.",
            hint="rename the file, or leave it out with .dockerignore",
        )
    digest = context.digest(source) if entry.kind == FILE else b""
    uid, gid = (entry.uid, entry.gid) if context.keeps_owners else (0, 0)
    return msgspec.structs.replace(entry, uid=uid, gid=gid, digest=digest, offset=NO_OFFSET)


def _existing(context: Context, path: str) -> Entry:
    entry = context.find(path)
    if entry is None:
        raise ContextError(f"“{path}” is gone from {context.origin}.", hint="build again")
    return entry
