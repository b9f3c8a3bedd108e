"""What the store knows of each layer, and which of its faces exist: *tree*, *blob*, *toc*.

A layer is named by a short id of this store, because a tree that a RUN left has no diff_id until somebody asks for its
tar.  Faces are facts here; making them is the engine's work.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence

import msgspec

from ..errors import StoreError
from ..oci.manifest import Descriptor
from ..oci.toc import Toc
from . import layer_rows
from .blobs import Blobs
from .disk import disk_errors
from .layer_rows import Layer
from .ledger import Ledger, Transaction
from .usage import disk_usage

__all__ = ["Layer", "Layers"]


class Layers:
    """Layers by short id.  What is returned or added is held until the lease ends, with the blobs of its faces."""

    def __init__(self, root: str, ledger: Ledger, blobs: Blobs) -> None:
        self._trees = os.path.join(root, "trees")
        self._ledger = ledger
        self._blobs = blobs

    def tree_path(self, layer: str) -> str:
        """Where a layer's tree is, or would be."""
        return os.path.join(self._trees, layer)

    def find(self, layer: str) -> Layer | None:
        """The layer, with the faces whose files are really there; None if nothing that holds its bytes is, or if its
        toc is lost."""
        row = self._ledger.find(f"layer:{layer}", layer_rows.BY_ID, (layer,))
        return None if row is None else self._as_is(layer_rows.read(row))

    def get(self, layer: str) -> Layer:
        """``find``, or a ``StoreError``."""
        found = self.find(layer)
        if found is None:
            raise _gone(layer)
        return found

    def find_all(self, layers: Sequence[str]) -> bool:
        """Whether every one of these layers is here and complete."""
        return all(self.find(layer) is not None for layer in layers)

    def find_by_diff_id(self, diff_id: str) -> Layer | None:
        """A complete layer with this diff_id, if there is one."""
        rows = self._ledger.rows(layer_rows.BY_DIFF_ID, (diff_id,))
        found = (self.find(layer_rows.read(row).layer) for row in rows)
        return next((layer for layer in found if layer is not None), None)

    def add_blob(self, *, diff_id: str, toc: Toc, original: Descriptor | None = None, has_blob: bool = True) -> Layer:
        """Record a layer whose bytes are blobs of the store already: its tar (``has_blob``), its ``original``, or both.

        Idempotent: if a layer with this diff_id is here, that one is returned, with what it lacked.
        """
        toc_digest = str(self._blobs.put(toc.encode()))
        with self._ledger.writing() as transaction:
            rows = transaction.connection.execute(layer_rows.BY_DIFF_ID, (diff_id,)).fetchall()
            known = [layer_rows.read(row) for row in rows]
            best = next((layer for layer in known if self._as_is(layer) is not None), known[0] if known else None)
            layer = self._faces(best) if best is not None else Layer(layer=_new_id(), diff_id=diff_id)
            # Offsets that are known already are right too: they point into the same tar.
            keeps_toc = layer.toc and (layer.has_blob or layer.original is not None)
            layer = msgspec.structs.replace(
                layer,
                toc=layer.toc if keeps_toc else toc_digest,
                size=layer.size if keeps_toc else toc.size,
                has_blob=layer.has_blob or has_blob,
                original=layer.original or original,
            )
            self._write(transaction, layer)
        return layer

    def expect(self, diff_id: str, size: int) -> Layer:
        """The complete layer with this diff_id, else one of which only that and its size are known.

        Nothing finds that one before ``add_blob``, or ``share``, has given it its bytes.
        """
        found = self.find_by_diff_id(diff_id)
        if found is not None:
            return found
        with self._ledger.writing() as transaction:
            row = transaction.connection.execute(layer_rows.BY_DIFF_ID, (diff_id,)).fetchone()
            layer = self._faces(layer_rows.read(row)) if row else Layer(layer=_new_id(), diff_id=diff_id, size=size)
            self._write(transaction, layer)
        return layer

    def expected(self, layer: str) -> Layer | None:
        """A layer of which only its diff_id and size are known; None for any other."""
        row = self._ledger.find(f"layer:{layer}", layer_rows.BY_ID, (layer,))
        found = None if row is None else layer_rows.read(row)
        is_bare = found is not None and not (found.has_tree or found.has_blob or found.original or found.toc)
        return found if is_bare else None

    def share(self, layer: str, other: Layer) -> Layer:
        """Give an expected layer what another one with its diff_id has, but for the tree."""
        facts = msgspec.structs.replace(other, layer=layer, has_tree=False)
        return self._change(facts, lambda current: facts if current.diff_id == other.diff_id else current)

    def add_tree(self, finished: str, *, diff_id: str = "") -> Layer:
        """Take a finished directory over as the tree of a new layer.

        It must be on the store's disk, and synced: what is not may be empty after a power cut.
        """
        layer = Layer(layer=_new_id(), diff_id=diff_id, has_tree=True, size=disk_usage(finished))
        with self._ledger.writing() as transaction:
            self._place(finished, layer.layer)
            self._write(transaction, layer, room=layer.size)
        return layer

    def set_tree(self, layer: Layer, finished: str) -> Layer:
        """Give a layer its tree face from a finished directory, as ``add_tree``; a tree that is there already stays."""
        room = disk_usage(finished)

        def change(current: Layer) -> Layer:
            if not os.path.isdir(self.tree_path(layer.layer)):
                self._place(finished, layer.layer)
            return msgspec.structs.replace(current, has_tree=True)

        return self._change(layer, change, room=room)

    def set_toc(self, layer: Layer, toc: Toc) -> Layer:
        """Give a layer its toc face.  A layer that has a blob keeps its toc, whose offsets point into the blob."""
        digest = str(self._blobs.put(toc.encode()))

        def change(current: Layer) -> Layer:
            if current.toc and (current.has_blob or current.original):
                return current
            return msgspec.structs.replace(current, toc=digest, size=toc.size)

        return self._change(layer, change)

    def set_blob(self, layer: Layer, diff_id: str, toc: Toc) -> Layer:
        """Give a layer its blob face: a blob ``diff_id`` of the store, whose offsets the toc has."""
        digest = str(self._blobs.put(toc.encode()))
        return self._change(
            layer,
            lambda current: msgspec.structs.replace(current, diff_id=diff_id, has_blob=True, toc=digest, size=toc.size),
        )

    def mend(self, transaction: Transaction, layer: Layer) -> bool:
        """Write down which faces of a layer are left, inside a transaction; whether they suffice."""
        left = self._as_is(layer)
        if left is None:
            return False
        self._write(transaction, left)
        return True

    def toc(self, layer: Layer) -> Toc:
        """The list of a layer's entries; the layer must have that face."""
        return Toc.decode(self._blobs.read(layer.toc))

    def _change(self, layer: Layer, change: Callable[[Layer], Layer], *, room: int | None = None) -> Layer:
        """Change what is known of a layer now, which may be more than the caller's value says."""
        with self._ledger.writing() as transaction:
            row = transaction.connection.execute(layer_rows.BY_ID, (layer.layer,)).fetchone()
            if row is None:
                raise _gone(layer.layer)
            changed = change(self._faces(layer_rows.read(row)))
            self._write(transaction, changed, room=room)
        return changed

    def _place(self, finished: str, layer: str) -> None:
        with disk_errors("keeping a layer's tree"):
            os.rename(finished, self.tree_path(layer))

    def _write(self, transaction: Transaction, layer: Layer, *, room: int | None = None) -> None:
        """Write a layer's row; ``room`` is what its tree takes on the disk, None for what is known already."""
        transaction.connection.execute(layer_rows.WRITE, layer_rows.parameters(layer))
        keeps = [layer.toc, layer.diff_id if layer.has_blob else "", layer.original.digest if layer.original else ""]
        transaction.put(f"layer:{layer.layer}", size=room, keeps=[f"blob:{digest}" for digest in keeps if digest])
        transaction.hold(f"layer:{layer.layer}")

    def _as_is(self, layer: Layer) -> Layer | None:
        """The layer with the faces that exist, or None where they do not suffice."""
        found = self._faces(layer)
        if layer.toc and not found.toc:
            return None
        return found if found.has_tree or found.has_blob or found.original else None

    def _faces(self, layer: Layer) -> Layer:
        """The layer with only those faces whose files exist."""
        original = layer.original
        return msgspec.structs.replace(
            layer,
            has_tree=layer.has_tree and os.path.isdir(self.tree_path(layer.layer)),
            has_blob=layer.has_blob and os.path.exists(self._blobs.path(layer.diff_id)),
            toc=layer.toc if layer.toc and os.path.exists(self._blobs.path(layer.toc)) else "",
            original=original if original and os.path.exists(self._blobs.path(original.digest)) else None,
        )


def _new_id() -> str:
    return os.urandom(6).hex()


def _gone(layer: str) -> StoreError:
    return StoreError(f"The layer {layer} is gone from the store.", hint="build again; what is missing is made again")
