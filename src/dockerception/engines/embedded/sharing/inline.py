"""The cache inside an image (``type=inline``): a field of its config, as BuildKit's ``moby.buildkit.cache.v0``.

It holds the steps of the image's own layers, which are where the image is; the config's digest, and so the image's id,
is another one than without it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec

from ....errors import ImageError
from ....oci import config as oci_config
from ....oci import media_types
from ....oci.config import ImageConfig
from ....oci.manifest import Manifest
from ..values import StageState
from . import document as documents
from .document import Document, SharedLayer, SharedStage, SharedStep

MEDIA_TYPES: Final = (media_types.OCI_CONFIG, media_types.DOCKER_CONFIG)


def embed(config: ImageConfig, definition: str, state: StageState, diff_ids: Sequence[str]) -> ImageConfig:
    """The config with the records of its last stage; ``diff_ids`` are those of all layers of the state."""
    own = diff_ids[len(state.base_layers) :]
    document = Document(
        steps=tuple(
            SharedStep(key=key, layer=layer, created=created)
            for key, layer, created in zip(state.steps, own, state.created, strict=True)
        ),
        stages=(SharedStage(definition=definition, content=state.key, steps=state.steps),),
    )
    return msgspec.structs.replace(config, cache=documents.encode(document))


def read(data: bytes, manifest: Manifest, *, origin: str) -> Document:
    """The cache in an image, whose config these bytes are.  Raises ``ImageError`` where there is none."""
    config = oci_config.decode(data)
    if not config.cache:
        raise ImageError(f"The image {origin} has no cache in it.", hint="build it with --cache-to type=inline")
    document = documents.decode(config.cache, origin=origin)
    if len(config.rootfs.diff_ids) != len(manifest.layers):
        raise ImageError(f"The image {origin} has {len(manifest.layers)} layers, but its config names others.")
    layers = (
        SharedLayer(diff_id=diff_id, blob=blob.digest, size=0)
        for diff_id, blob in zip(config.rootfs.diff_ids, manifest.layers, strict=True)
    )
    return msgspec.structs.replace(document, layers=tuple(layers))
