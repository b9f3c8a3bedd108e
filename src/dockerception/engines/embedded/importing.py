"""Images from a transport into the store: every byte hashed on its way, nothing unpacked that nothing needs yet."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from contextlib import nullcontext
from typing import Final

import msgspec

from ...errors import ImageError
from ...oci import config as oci_config
from ...oci.config import RootFS
from ...parallel import Check, in_parallel
from ...progress import Reporter, StepProgress
from ...reference import Reference
from ...store.images import StoredImage
from ...store.layers import Layer
from ...store.store import Store
from ...transports.base import SourceImage, SourceLayer
from .layer_import import find_layer, import_layer

_REPORT_BYTES: Final = 1 << 20


def import_image(
    store: Store,
    source: SourceImage,
    *,
    names: tuple[Reference, ...] = (),
    report: Reporter,
    step: int = 0,
    threads: int = 1,
) -> StoredImage:
    """Bring an image into the store and give it these names.  Layers that are here already are not read again.

    ``threads`` is how many layers are read at a time; above 1, the source must bear it.  Raises ``ImageError`` where
    layers and config do not fit each other, and what the transport raises.
    """
    config = oci_config.decode(source.config_bytes)
    expected = config.rootfs.diff_ids
    if expected and len(expected) != len(source.layers):
        raise ImageError(f"The image has {len(source.layers)} layers, but its config names {len(expected)}.")
    layers = _import_layers(store, source, _Progress(report, step), threads)
    diff_ids = tuple(layer.diff_id for layer in layers)
    if not expected:
        config = msgspec.structs.replace(config, rootfs=RootFS(diff_ids=diff_ids))
        return store.images.add(oci_config.encode(config), [layer.layer for layer in layers], names)
    for number, (found, wanted) in enumerate(zip(diff_ids, expected, strict=True)):
        if found != wanted:
            raise ImageError(f"Layer {number} of the image has the diff_id {found}, but its config says {wanted}.")
    return store.images.add(source.config_bytes, [layer.layer for layer in layers], names)


def _import_layers(store: Store, source: SourceImage, progress: _Progress, threads: int) -> list[Layer]:
    found = [find_layer(store, layer) for layer in source.layers]
    # Equal layers are read once: the later ones are in the store when they are looked for again below.
    first: dict[str, int] = {}
    for index, layer in enumerate(source.layers):
        if found[index] is None:
            first.setdefault(layer.diff_id or str(index), index)
    wanted = sorted(first.values())
    progress.expect([source.layers[index] for index in wanted])

    def work(index: int, check: Check) -> Layer:
        def advance(count: int) -> None:
            check()
            progress.advance(count)

        layer = source.layers[index]
        claim = store.claims.claim(f"layer {layer.diff_id}", check) if layer.diff_id else nullcontext(False)
        with claim as has_waited:
            made = find_layer(store, layer) if has_waited else None
            if made is not None:
                return made
            origin = f"Layer {index} of the image"
            with source.read_layer(index) as read:
                return import_layer(store, layer, read, origin=origin, advance=advance, is_threaded=threads > 1)

    made = dict(zip(wanted, in_parallel(work, wanted, threads=threads), strict=True))
    return [found[index] or made[first[layer.diff_id or str(index)]] for index, layer in enumerate(source.layers)]


class _Progress:
    """How many bytes of all layers have come.  Threads share it."""

    def __init__(self, report: Reporter, step: int) -> None:
        self._report = report
        self._step = step
        self._lock = threading.Lock()
        self._total = 0
        self._done = 0
        self._told = 0

    def expect(self, layers: Sequence[SourceLayer]) -> None:
        sizes = [layer.blob.size if layer.blob else 0 for layer in layers]
        self._total = sum(sizes) if all(sizes) else 0

    def advance(self, count: int) -> None:
        with self._lock:
            self._done += count
            if self._done - self._told < _REPORT_BYTES:
                return
            self._told = done = self._done
        self._report(StepProgress(step=self._step, done_bytes=done, total_bytes=self._total))
