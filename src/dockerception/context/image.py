"""The file tree of an image as a context, answered from the lists of its layers."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from typing import Protocol

from ..oci.entry import Entry
from ..oci.toc import Toc
from .stacked import StackedContext


class LayerSource(Protocol):
    """What a context needs of a layer."""

    def toc(self) -> Toc:
        """The layer's entries, whiteouts and opaque directories among them."""

    def read(self, entry: Entry) -> Iterator[bytes | memoryview]:
        """The contents of a regular file of the layer, exactly ``size`` bytes in chunks."""


def layered_context(layers: Sequence[LayerSource], *, origin: str) -> StackedContext:
    """The file tree that these layers, from the base up, make.  Owners count (see ``base.Context``).

    No layer's toc is asked for before the first lookup that gets to it.
    """
    return StackedContext([_LayerTree(layer) for layer in layers], origin=origin, keeps_owners=True)


class _LayerTree:
    """A layer as one tree of a stack."""

    def __init__(self, layer: LayerSource) -> None:
        self._layer = layer
        self._toc: Toc | None = None

    def find(self, path: str) -> Entry | None:
        return self._entries().find(path)

    def members(self, path: str) -> Iterable[tuple[str, Entry | None]]:
        return self._entries().members(path)

    def has_below(self, path: str) -> bool:
        return self._entries().has_below(path)

    def digest(self, entry: Entry) -> bytes:
        if entry.digest:
            return entry.digest
        hasher = hashlib.sha256()
        for chunk in self._layer.read(entry):
            hasher.update(chunk)
        return hasher.digest()

    def read(self, entry: Entry) -> Iterator[bytes | memoryview]:
        return self._layer.read(entry)

    def _entries(self) -> Toc:
        if self._toc is None:
            self._toc = self._layer.toc()
        return self._toc
