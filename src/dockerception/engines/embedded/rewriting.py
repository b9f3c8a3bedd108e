"""Layers whose entries are no newer than SOURCE_DATE_EPOCH (``rewrite-timestamp=true``), as BuildKit has it.

Times that are later become the epoch, earlier ones stay, and layers of the base image are left alone, so that they stay
shared.  A rewritten layer is a layer like any other: it has another diff_id, so its image has another id, and it is
remembered for the layer that it was made of.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec

from ...oci import tarwriter
from ...oci.entry import Entry
from ...oci.toc import Toc
from ...store.records import Record
from ...store.store import Store
from . import keys
from .faces import Faces
from .steps import Steps


def rewritten(
    store: Store, faces: Faces, layers: Sequence[str], *, base_layers: int, epoch: int, steps: Steps
) -> tuple[str, ...]:
    """The layers of an image, those above its base rewritten; ``epoch`` is in seconds since 1970."""
    own = range(base_layers, len(layers))
    known = {index: _remembered(store, layers[index], epoch) for index in own}
    if None in known.values():
        with steps.step("rewrite times that are later than SOURCE_DATE_EPOCH"):
            known = {
                index: found or _rewrite(store, faces, layers[: index + 1], epoch) for index, found in known.items()
            }
    return (*layers[:base_layers], *(known[index] or layers[index] for index in own))


def _remembered(store: Store, layer: str, epoch: int) -> str | None:
    """What a layer became, if it is still here."""
    value = store.records.get(_key(layer, epoch))
    return value.decode() if value is not None and store.layers.find(value.decode()) is not None else None


def _rewrite(store: Store, faces: Faces, stack: Sequence[str], epoch: int) -> str:
    """Write the top layer of a stack anew, unless nothing in it is too new; returns the layer to use instead."""
    layer = faces.layer(stack[-1])
    if layer.original is not None and not layer.has_blob:
        layer = faces.blob(stack)  # only its toc has offsets into the uncompressed tar
    toc = store.layers.toc(layer) if layer.has_blob else faces.toc(stack)
    name = layer.layer
    if any(entry.mtime > epoch for entry in toc):
        clamped = Toc.of(_clamped(toc, epoch))
        with store.blobs.new() as file:
            for chunk in faces.write(stack, clamped):
                file.write(chunk)
            diff_id = str(store.blobs.keep(file))
        name = store.layers.add_blob(diff_id=diff_id, toc=Toc.of(tarwriter.place(clamped))).layer
    store.records.put([Record(_key(stack[-1], epoch), name.encode(), (f"layer:{stack[-1]}", f"layer:{name}"))])
    return name


def _clamped(toc: Toc, epoch: int) -> Iterator[Entry]:
    for entry in toc:
        yield entry if entry.mtime <= epoch else msgspec.structs.replace(entry, mtime=epoch)


def _key(layer: str, epoch: int) -> str:
    # A layer's short id is never given out twice, and a tree that has no blob has no other name yet.
    return keys.derive("rewritten", (("layer", layer), ("epoch", epoch)))
