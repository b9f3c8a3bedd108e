"""What is known to have been built: records of steps and stages, in the store, else in a cache elsewhere.

A record counts if its layers are here and complete, or may be had when somebody needs their bytes.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import msgspec

from ...errors import DockerceptionError
from ...oci.documents import recorded
from ...store.records import Record
from ...store.store import Store
from .values import Evaluated, StageState

_encode = msgspec.msgpack.Encoder().encode
_decode_state = msgspec.msgpack.Decoder(StageState).decode


class LayerRecord(msgspec.Struct, frozen=True, array_like=True):
    """What a step's content key stands for: a layer, and when it was made in seconds since the epoch."""

    layer: str
    created: int


_decode_layer = msgspec.msgpack.Decoder(LayerRecord).decode


class LostLayerError(DockerceptionError):
    """A layer that a cache elsewhere has, or had, is not to be had from there.

    It never leaves the engine: the level is built again, and makes the layer.
    """

    code = "lost-layer"


class Elsewhere(Protocol):
    """Caches elsewhere.  Layers that are found there have ids in the store, their bytes come later."""

    def layer(self, key: str) -> LayerRecord | None:
        """What a step's content key stands for there."""

    def stage(self, definition: str, below: tuple[str, ...], count: int) -> StageState | None:
        """What a stage's definition key stands for there, if it has ``count`` layers above those of its base image."""


class Recorded:
    """The records of steps and stages.  What is found elsewhere is recorded here.  Threads may share it.

    ``is_usable(layer)`` decides whether what is recorded of a layer counts.
    """

    def __init__(self, store: Store, elsewhere: Elsewhere | None, is_usable: Callable[[str], bool]) -> None:
        self._store = store
        self._elsewhere = elsewhere
        self._is_usable = is_usable

    def layer(self, key: str) -> LayerRecord | None:
        """The layer of a step's content key."""
        record = recorded(_decode_layer, self._store.records.get(key))
        if record is not None and self._is_usable(record.layer):
            return record
        found = self._elsewhere.layer(key) if self._elsewhere is not None else None
        return None if found is None else self.keep_layer(key, found)

    def stage(self, definition: str, stage: Evaluated) -> StageState | None:
        """The state of a stage by its definition key."""
        state = recorded(_decode_state, self._store.records.get(definition))
        if state is not None and all(map(self._is_usable, state.layers)):
            return state
        found = self._elsewhere.stage(definition, *_shape(stage)) if self._elsewhere is not None else None
        return None if found is None else self.keep_stage(definition, found)

    def keep_layer(self, key: str, record: LayerRecord) -> LayerRecord:
        """Record what a step's content key stands for."""
        keeps = (f"layer:{record.layer}",)
        self._store.records.put([Record(key, _encode(record), keeps)])
        return record

    def keep_stage(self, definition: str, state: StageState) -> StageState:
        """Record what a stage's definition key stands for."""
        keeps = tuple(f"layer:{layer}" for layer in state.layers)
        self._store.records.put([Record(definition, _encode(state), keeps)])
        return state


def _shape(stage: Evaluated) -> tuple[tuple[str, ...], int]:
    """The layers of the image below a stage and the stages that it is built on; and how many layers are above."""
    count = 0
    current = stage
    while True:
        count += sum(step.makes_layer for step in current.steps)
        if current.base.stage is None:
            return current.base.image.layers if current.base.image else (), count
        current = current.base.stage
