"""Unpacking what a step is to run on: a step of its own in progress, for it may take longer than what is run."""

from __future__ import annotations

from collections.abc import Sequence

from ...store.layers import Layer
from .faces import Faces
from .steps import Steps
from .values import Base


def unpack(faces: Faces, steps: Steps, stack: Sequence[str], base: Base, *, level: int) -> None:
    """Give every layer of a stack its tree.  Progress shows it as the unpacking of ``base`` where there is any."""
    packed = [layer for layer in map(faces.layer, stack) if not layer.has_tree]
    if packed:
        with steps.step(f"unpack {_origin(base)}: {_amount(packed)}", level=level):
            faces.trees(stack)


def _origin(base: Base) -> str:
    """The name of the image that everything begins with."""
    while base.stage is not None:
        base = base.stage.base
    return base.name


def _amount(layers: Sequence[Layer]) -> str:
    size = sum(layer.size for layer in layers)
    return f"{len(layers)} layer{'' if len(layers) == 1 else 's'}, {size / 1e6:.1f} MB"
