"""What the embedded engine knows of a stage, before and after it is built."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import msgspec

from ...dockerfile.instructions import Instruction
from ...dockerfile.stages import Stage
from ...oci.config import ContainerConfig
from ...reference import Platform
from ...store.images import StoredImage

SCRATCH: Final = "scratch"


class Base(msgspec.Struct, frozen=True, kw_only=True):
    """What a FROM leads to: an earlier stage, an image, or (neither) ``scratch``.

    ``identity`` is what enters keys: empty for scratch, the config's digest and platform for an image.  Without
    ``has_config`` the image is only the files of a directory, and its config is that of scratch.
    """

    name: str
    stage: Evaluated | None = None
    image: StoredImage | None = None
    identity: str = ""
    has_config: bool = True


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """One instruction, expanded, with everything that its execution needs.

    ``config`` is the config before it; ``environment`` are the variables that a RUN sees; ``created_by`` is the text of
    its history item, empty if it has none; ``makes_layer`` says whether that item stands for a layer; ``text`` is what
    progress and errors show; ``is_trigger`` marks ONBUILD ones.
    """

    instruction: Instruction
    config: ContainerConfig
    environment: tuple[tuple[str, str], ...]
    created_by: str
    makes_layer: bool
    text: str
    is_trigger: bool = False


class Evaluated(msgspec.Struct, frozen=True, kw_only=True):
    """A stage with all its names resolved and all its text expanded: nothing of it has been executed.

    ``platform`` is that of its base image, or of the build where it has none.
    ``declared`` are the values of its ARGs, ``variables`` what all names mean at its end; a stage on top begins so.
    """

    stage: Stage
    base: Base
    platform: Platform
    steps: tuple[Step, ...]
    config: ContainerConfig
    author: str
    declared: Mapping[str, str] = {}
    variables: Mapping[str, str] = {}

    @property
    def label(self) -> str:
        """What progress calls the stage: its name, or ``stage-N``."""
        return self.stage.name or f"stage-{self.stage.index}"


class StageState(msgspec.Struct, frozen=True, kw_only=True):
    """A built stage, not yet an image: its content key; its layers (short ids of the store, bottom first, the base's
    included); when each layer above the base image was made, in seconds since the epoch; and the content keys of the
    steps that made them."""

    key: str
    layers: tuple[str, ...]
    created: tuple[int, ...] = ()
    steps: tuple[str, ...] = ()

    @property
    def base_layers(self) -> tuple[str, ...]:
        """The layers of the base image."""
        return self.layers[: len(self.layers) - len(self.created)]
