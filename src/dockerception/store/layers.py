"""What the store knows of each layer, and which of its faces exist: *tree*, *blob*, *toc*.

A layer is named by a short id of this store, because a tree that a RUN left has no diff_id until somebody asks for its
tar.  Faces are facts here; making them is the engine's work.
"""

from __future__ import annotations

import os
import secrets
import sqlite3
from collections.abc import Sequence
from typing import Any, Final

import msgspec

from ..errors import StoreError
from ..oci.manifest import Descriptor
from ..oci.toc import Toc
from .blobs import Blobs
from .database import Database, put_thing
from .durable import disk_errors
from .lease import Lease
from .usage import disk_usage

_COLUMNS: Final = "layer, diff_id, toc, has_tree, has_blob, original, original_type, original_size, size"


class Layer(msgspec.Struct, frozen=True, kw_only=True):
    """One layer's facts.

    ``diff_id`` is the digest of its uncompressed tar, empty until known; ``has_blob`` says that this tar is a blob of
    the store.  ``toc`` is the digest of its encoded list of entries, empty until made.  ``original`` describes the
    exact blob that it came as, kept because it can't be made again.  ``size`` is that of its files in bytes; for a tree
    that has no toc yet, the room it takes on the disk.
    """

    layer: str
    diff_id: str = ""
    toc: str = ""
    has_tree: bool = False
    has_blob: bool = False
    original: Descriptor | None = None
    size: int = 0


class Layers:
    """Layers by short id.  What is returned or added is held until the lease ends."""

    def __init__(self, root: str, database: Database, lease: Lease, blobs: Blobs) -> None:
        self._trees = os.path.join(root, "trees")
        self._database = database
        self._lease = lease
        self._blobs = blobs

    def tree_path(self, layer: str) -> str:
        """Where a layer's tree is, or would be."""
        return os.path.join(self._trees, layer)

    def find(self, layer: str) -> Layer | None:
        """The layer, if it is here and complete enough to be used: some face that holds its bytes exists on disk."""
        with self._database.writing() as connection:
            row = connection.execute(f"SELECT {_COLUMNS} FROM layers WHERE layer = ?", (layer,)).fetchone()
            if row is None:
                return None
            found = _from_row(row)
            self._lease.hold(connection, f"layer:{layer}")
        return found if self._is_complete(found) else None

    def get(self, layer: str) -> Layer:
        """``find``, or a ``StoreError``."""
        found = self.find(layer)
        if found is None:
            raise StoreError(
                f"The layer {layer} is gone from the store.", hint="build again; what is missing is made again"
            )
        return found

    def find_all(self, layers: Sequence[str]) -> bool:
        """Whether every one of these layers is here and complete."""
        return all(self.find(layer) is not None for layer in layers)

    def find_by_diff_id(self, diff_id: str) -> Layer | None:
        """A complete layer with this diff_id, if there is one."""
        with self._database.reading() as connection:
            rows = connection.execute("SELECT layer FROM layers WHERE diff_id = ?", (diff_id,)).fetchall()
        for (layer,) in rows:
            found = self.find(layer)
            if found is not None:
                return found
        return None

    def add_blob(self, *, diff_id: str, toc: Toc, original: Descriptor | None = None, has_blob: bool = True) -> Layer:
        """Record a layer whose bytes are blobs of the store already: its tar (``has_blob``), its ``original``, or both.

        If a layer with this diff_id and a blob is here, that one is returned and nothing is added.
        """
        existing = self.find_by_diff_id(diff_id)
        if existing is not None and existing.has_blob >= has_blob and (original is None or existing.original):
            return existing
        toc_digest = str(self._blobs.put(toc.encode()))
        layer = Layer(
            layer=_new_id(), diff_id=diff_id, toc=toc_digest, has_blob=has_blob, original=original, size=toc.size
        )
        return self._write(layer)

    def add_tree(self, finished: str, *, diff_id: str = "") -> Layer:
        """Take a finished directory (on the store's disk) over as the tree of a new layer."""
        layer = Layer(layer=_new_id(), diff_id=diff_id, has_tree=True, size=disk_usage(finished))
        with disk_errors("keeping a layer's tree"):
            os.rename(finished, self.tree_path(layer.layer))
        return self._write(layer)

    def set_tree(self, layer: Layer, finished: str) -> Layer:
        """Give a layer its tree face from a finished directory; a tree that is there already stays."""
        if os.path.isdir(self.tree_path(layer.layer)):
            return self._write(msgspec.structs.replace(self.get(layer.layer), has_tree=True))
        with disk_errors("keeping a layer's tree"):
            os.rename(finished, self.tree_path(layer.layer))
        return self._write(msgspec.structs.replace(self.get(layer.layer), has_tree=True))

    def set_toc(self, layer: Layer, toc: Toc) -> Layer:
        """Give a layer its toc face."""
        digest = str(self._blobs.put(toc.encode()))
        return self._write(msgspec.structs.replace(self.get(layer.layer), toc=digest, size=toc.size))

    def set_blob(self, layer: Layer, diff_id: str, toc: Toc) -> Layer:
        """Give a layer its blob face: a blob ``diff_id`` of the store, whose offsets the toc has."""
        digest = str(self._blobs.put(toc.encode()))
        current = self.get(layer.layer)
        return self._write(msgspec.structs.replace(current, diff_id=diff_id, has_blob=True, toc=digest))

    def toc(self, layer: Layer) -> Toc:
        """The list of a layer's entries; the layer must have that face."""
        return Toc.decode(self._blobs.read(layer.toc))

    def _write(self, layer: Layer) -> Layer:
        keeps = [f"blob:{layer.toc}"] if layer.toc else []
        keeps += [f"blob:{layer.diff_id}"] if layer.has_blob else []
        keeps += [f"blob:{layer.original.digest}"] if layer.original else []
        with self._database.writing() as connection:
            connection.execute(f"INSERT OR REPLACE INTO layers ({_COLUMNS}) VALUES (?,?,?,?,?,?,?,?,?)", _to_row(layer))
            put_thing(connection, f"layer:{layer.layer}", keeps=keeps)
            self._lease.hold(connection, f"layer:{layer.layer}")
        return layer

    def _is_complete(self, layer: Layer) -> bool:
        if layer.has_tree and os.path.isdir(self.tree_path(layer.layer)):
            return True
        if layer.has_blob and os.path.exists(self._blobs.path(layer.diff_id)):
            return True
        return layer.original is not None and os.path.exists(self._blobs.path(layer.original.digest))


def _new_id() -> str:
    return secrets.token_hex(6)


def _from_row(row: sqlite3.Row | tuple[Any, ...]) -> Layer:
    layer, diff_id, toc, has_tree, has_blob, original, original_type, original_size, size = row
    return Layer(
        layer=layer,
        diff_id=diff_id or "",
        toc=toc or "",
        has_tree=bool(has_tree),
        has_blob=bool(has_blob),
        original=Descriptor(media_type=original_type, digest=original, size=original_size) if original else None,
        size=size,
    )


def _to_row(layer: Layer) -> tuple[object, ...]:
    original = layer.original
    return (
        layer.layer,
        layer.diff_id or None,
        layer.toc or None,
        layer.has_tree,
        layer.has_blob,
        original.digest if original else None,
        original.media_type if original else None,
        original.size if original else None,
        layer.size,
    )
