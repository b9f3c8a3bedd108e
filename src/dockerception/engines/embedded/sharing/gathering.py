"""What a cache is to hold: the records of a chain, and the blobs that they need, packed as wanted."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from typing import Final

import msgspec

from ....errors import ImageError
from ....oci.manifest import Descriptor
from ....parallel import Check, in_parallel
from ....store.store import Store
from ....transports.base import OutgoingLayer
from ...outputs import Packing
from ..faces import Faces
from ..packing import pack_layer, pack_tar
from ..recorded import Recorded
from ..values import Evaluated, StageState
from . import contexts
from .document import Document, SharedContext, SharedLayer, SharedMount, SharedStage, SharedStep
from .opened import OpenedCache
from .shared import SharedCaches

_THREADS: Final = 2
_CHUNK: Final = 1 << 20


class LostBlobError(ImageError):
    """A blob that was to be taken over from another cache is not to be had there."""


class Blob(msgspec.Struct, frozen=True):
    """Bytes of a cache; ``chunks()`` begins them anew, and raises ``LostBlobError`` if they are gone elsewhere."""

    descriptor: Descriptor
    chunks: Callable[[], Iterator[bytes]]


class Gathered:
    """Collects what one cache is to hold.  ``blobs`` are by digest, ``document`` names them."""

    def __init__(
        self, store: Store, faces: Faces, recorded: Recorded, shared: SharedCaches | None, packing: Packing
    ) -> None:
        self._store = store
        self._faces = faces
        self._recorded = recorded
        self._shared = shared
        self._packing = packing
        self._states: dict[str, StageState] = {}
        self._layers: dict[str, SharedLayer] = {}
        self._contexts: dict[str, str] = {}
        self._mounts: dict[str, str] = {}
        self.blobs: dict[str, Blob] = {}

    def add_stages(self, stages: Mapping[str, Evaluated]) -> None:
        """Add stages by their definition keys, with all layers above their base images.

        Those that nothing is known of any more are left out.
        """
        found = {key: state for key, stage in stages.items() if (state := self._recorded.stage(key, stage)) is not None}
        whole = {key: state for key, state in found.items() if len(state.steps) == len(state.created)}
        stacks = {stack[-1]: stack for state in whole.values() for stack in _stacks(state)}
        wanted = [stack for layer, stack in stacks.items() if layer not in self._layers]
        for stack, (layer, blob) in zip(wanted, in_parallel(self._pack, wanted, threads=_THREADS), strict=True):
            self._layers[stack[-1]] = layer
            self.blobs[layer.blob] = blob
        self._states |= whole

    def add_context(self, key: str) -> None:
        """Add the context that the run of a builder with this key has emitted."""
        value = self._store.records.get(key)
        digest = value.decode() if value else ""
        chunks = contexts.chunks(self._store, digest) if digest else None
        if chunks is not None:
            self._contexts[key] = self._add_tar(f"context:{digest}", chunks)

    def add_mount(self, name: str, content: str, chunks: Iterable[bytes | memoryview]) -> None:
        """Add a cache mount by the name of its directory; ``content`` tells its contents."""
        self._mounts[name] = self._add_tar(f"mount {content}", chunks)

    def pass_on_mount(self, name: str) -> None:
        """Add a cache mount that is not here, if another cache has it."""
        for cache in self._shared.caches() if self._shared is not None else ():
            blob = cache.mount(name)
            if blob is not None:
                self._mounts[name] = blob
                self.blobs[blob] = Blob(cache.descriptor(blob), partial(_passed_on, cache, blob))
                return

    def document(self, lost: set[str]) -> Document:
        """What the cache says, without what needs the blobs that are ``lost``."""
        layers = {layer: each for layer, each in self._layers.items() if each.blob not in lost}
        steps: dict[str, SharedStep] = {}
        stages: list[SharedStage] = []
        for definition, state in self._states.items():
            own = state.layers[len(state.base_layers) :]
            for key, layer, created in zip(state.steps, own, state.created, strict=True):
                if layer in layers:
                    steps.setdefault(key, SharedStep(key=key, layer=layers[layer].diff_id, created=created))
            if all(key in steps for key in state.steps):
                stages.append(SharedStage(definition=definition, content=state.key, steps=state.steps))
        return Document(
            layers=tuple({each.diff_id: each for each in layers.values()}.values()),
            steps=tuple(steps.values()),
            stages=tuple(stages),
            contexts=tuple(SharedContext(key=key, blob=blob) for key, blob in self._contexts.items()),
            mounts=tuple(SharedMount(name=name, blob=blob) for name, blob in self._mounts.items() if blob not in lost),
        )

    def _pack(self, stack: tuple[str, ...], check: Check) -> tuple[SharedLayer, Blob]:
        """A layer as it leaves; what is in another cache only is passed on from there, and not kept here."""
        layer = stack[-1]
        promised = self._shared.promised(layer) if self._shared is not None else None
        if promised is not None and self._store.layers.find(layer) is None:
            cache, shared = promised
            return shared, Blob(cache.descriptor(shared.blob), partial(_passed_on, cache, shared.blob))
        packed: OutgoingLayer = pack_layer(self._store, self._faces, stack, self._packing, check)
        size = self._store.layers.get(layer).size
        return SharedLayer(diff_id=packed.diff_id, blob=packed.blob.digest, size=size), Blob(packed.blob, packed.read)

    def _add_tar(self, name: str, chunks: Iterable[bytes | memoryview]) -> str:
        """Add a tar that is no layer; returns its digest."""
        packed = pack_tar(self._store, name, chunks, self._packing)
        self.blobs[packed.blob.digest] = Blob(packed.blob, packed.read)
        return packed.blob.digest


def _stacks(state: StageState) -> Iterator[tuple[str, ...]]:
    """The stacks whose top layers are those that a stage, and the stages below it, have made."""
    return (state.layers[: count + 1] for count in range(len(state.base_layers), len(state.layers)))


def _passed_on(cache: OpenedCache, blob: str) -> Iterator[bytes]:
    try:
        with cache.open(blob) as read:
            while chunk := read(_CHUNK):
                yield chunk
    except ImageError as error:
        raise LostBlobError(error.message, hint=error.hint) from error
