"""A layer's facts, and how they lie in the table ``layers``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import msgspec

from ..oci.manifest import Descriptor

_COLUMNS: Final = "layer, diff_id, toc, has_tree, has_blob, original, original_type, original_size, size"
ALL: Final = f"SELECT {_COLUMNS} FROM layers"
BY_ID: Final = f"SELECT {_COLUMNS} FROM layers WHERE layer = ?"
BY_DIFF_ID: Final = f"SELECT {_COLUMNS} FROM layers WHERE diff_id = ?"
WRITE: Final = f"INSERT OR REPLACE INTO layers ({_COLUMNS}) VALUES (?,?,?,?,?,?,?,?,?)"


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


def read(row: Sequence[Any]) -> Layer:
    """The layer of a row."""
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


def parameters(layer: Layer) -> tuple[object, ...]:
    """The parameters of ``WRITE`` for a layer."""
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
