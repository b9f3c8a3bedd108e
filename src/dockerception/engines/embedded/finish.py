"""From a built stage to an image: blobs for all its layers, its config with history, its id."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from ...oci import config as oci_config
from ...oci.config import History, ImageConfig, RootFS
from ...store.images import StoredImage
from ...store.store import Store
from ..base import Settings
from .faces import Faces
from .values import Evaluated, StageState, Step


def image_config(stage: Evaluated, state: StageState, settings: Settings) -> ImageConfig:
    """The config of a built stage, still without diff_ids.

    The image is for the platform that was asked for, whatever its base is for; where none was, it is for its base's.

    A history item of a layer has the time when the layer was made, one of a metadata change that of the layer before
    it; so an unchanged build gives the same image again.  A fixed epoch (SOURCE_DATE_EPOCH) is the time of all that the
    Dockerfile adds, whenever its layers were made.
    """
    inherited, steps = _whole_chain(stage)
    base = inherited.config if inherited is not None else None
    created = (settings.epoch,) * len(state.created) if settings.is_epoch_fixed else state.created
    before = oci_config.parse_time(base.created) if base and not settings.is_epoch_fixed else None
    history, newest = _history(steps, created, before, settings.epoch)
    architecture, system, variant = _platform(base, settings)
    return ImageConfig(
        created=oci_config.format_time(newest),
        author=stage.author,
        architecture=architecture,
        os=system,
        variant=variant,
        config=stage.config,
        history=(*(base.history if base else ()), *history),
    )


def _platform(base: ImageConfig | None, settings: Settings) -> tuple[str, str, str]:
    """Architecture, operating system and variant; a base says its variant, where only the platform's kind was asked."""
    wanted = settings.platform
    if base is None:
        return wanted.architecture, wanted.os, wanted.variant
    is_same_kind = (base.os, base.architecture) == (wanted.os, wanted.architecture)
    if not settings.is_platform_fixed or (is_same_kind and not wanted.variant):
        return base.architecture, base.os, base.variant
    return wanted.architecture, wanted.os, wanted.variant


def finish(store: Store, faces: Faces, config: ImageConfig, layers: Sequence[str]) -> StoredImage:
    """Make every layer's blob, put their diff_ids into the config, and record the image."""
    diff_ids = layer_diff_ids(faces, layers)
    data = oci_config.encode(msgspec.structs.replace(config, rootfs=RootFS(diff_ids=diff_ids)))
    return store.images.add(data, layers)


def layer_diff_ids(faces: Faces, layers: Sequence[str]) -> tuple[str, ...]:
    """The diff_ids of a stack of layers; a layer that has none yet gets its blob."""
    stacks = (layers[: index + 1] for index in range(len(layers)))
    return tuple(faces.layer(stack[-1]).diff_id or faces.blob(stack).diff_id for stack in stacks)


def _whole_chain(stage: Evaluated) -> tuple[StoredImage | None, list[Step]]:
    """The image below everything, if there is one, and all steps above it, those of the stages in between included."""
    steps: list[Step] = []
    current: Evaluated | None = stage
    image = None
    while current is not None:
        steps = [*current.steps, *steps]
        image = current.base.image
        current = current.base.stage
    return image, steps


def _history(
    steps: Sequence[Step], created: Sequence[int], inherited: int | None, epoch: int
) -> tuple[list[History], int]:
    """The new history items, and the time of the newest."""
    times = iter(created)
    # Metadata in front of the first new layer belongs to the time of that layer, not to that of the base.
    now = created[0] if created else inherited if inherited is not None else epoch
    items: list[History] = []
    for step in steps:
        if step.makes_layer:
            now = next(times)
        if step.created_by:
            items.append(_item(step, now))
    return items, now


def _item(step: Step, time: int) -> History:
    return History(
        created=oci_config.format_time(time),
        created_by=step.created_by,
        comment="dockerception",
        empty_layer=not step.makes_layer,
    )
