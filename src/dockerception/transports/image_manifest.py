"""Manifests and indexes of images on their way out (image-spec manifest.md, image-index.md; Docker's schema 2)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec

from ..errors import UsageError
from ..oci import manifest, media_types
from ..oci.annotating import Annotations
from ..oci.manifest import Descriptor, DescriptorPlatform, Index, Manifest
from .base import Outgoing

_AS_OCI: Final = {
    media_types.DOCKER_LAYER: media_types.OCI_LAYER,
    media_types.DOCKER_LAYER_GZIP: media_types.OCI_LAYER_GZIP,
}
_AS_DOCKER: Final = {
    media_types.OCI_LAYER: media_types.DOCKER_LAYER,
    media_types.OCI_LAYER_GZIP: media_types.DOCKER_LAYER_GZIP,
}


class ImageManifest(msgspec.Struct, frozen=True, kw_only=True):
    """A manifest's bytes and descriptor, and the descriptor of the config that it names."""

    data: bytes
    descriptor: Descriptor
    config: Descriptor


def image_manifest(image: Outgoing) -> ImageManifest:
    """The manifest of an image, and the descriptor that leads to it.  Raises ``UsageError`` for what Docker's media
    types do not know."""
    is_oci, own = image.is_oci, image.annotations.manifest
    if not is_oci and own:
        raise UsageError("Docker's manifests have no annotations.", hint="leave oci-mediatypes=false out")
    config_type = media_types.OCI_CONFIG if is_oci else media_types.DOCKER_CONFIG
    manifest_type = media_types.OCI_MANIFEST if is_oci else media_types.DOCKER_MANIFEST
    config = manifest.describe(image.config_bytes, config_type)
    document = Manifest(
        schema_version=2,
        media_type=manifest_type,
        config=config,
        layers=tuple(_layer(layer.blob, is_oci=is_oci) for layer in image.layers),
        annotations=own or None,
    )
    data = manifest.encode(document)
    descriptor = manifest.describe(data, manifest_type)
    of_descriptor = image.annotations.manifest_descriptor or None
    return ImageManifest(
        data=data, descriptor=msgspec.structs.replace(descriptor, annotations=of_descriptor), config=config
    )


def platform_manifest(image: Outgoing, descriptor: Descriptor | None = None) -> Descriptor:
    """The descriptor of an image's manifest as an index has it: with the platform.

    ``descriptor`` is that of a manifest that the image has anyway.
    """
    found = descriptor or image_manifest(image).descriptor
    platform = image.platform
    return msgspec.structs.replace(
        found,
        platform=DescriptorPlatform(platform.architecture, platform.os, platform.variant),
        annotations=image.annotations.manifest_descriptor or None,
    )


def image_index(
    manifests: Sequence[Descriptor], annotations: Annotations, *, is_oci: bool = True
) -> tuple[bytes, Descriptor]:
    """The index of manifests that are one image for several platforms, and the descriptor that leads to it.

    Raises as ``image_manifest``.
    """
    if annotations.index and not is_oci:
        raise UsageError("Docker's lists of manifests have no annotations.", hint="leave oci-mediatypes=false out")
    media_type = media_types.OCI_INDEX if is_oci else media_types.DOCKER_LIST
    document = Index(
        schema_version=2, media_type=media_type, manifests=tuple(manifests), annotations=annotations.index or None
    )
    data = manifest.encode(document)
    descriptor = manifest.describe(data, media_type)
    return data, msgspec.structs.replace(descriptor, annotations=annotations.index_descriptor or None)


def _layer(blob: Descriptor, *, is_oci: bool) -> Descriptor:
    media_type = (_AS_OCI if is_oci else _AS_DOCKER).get(blob.media_type, blob.media_type)
    if not is_oci and media_type == media_types.OCI_LAYER_ZSTD:
        raise UsageError(
            f"Docker's manifests have no layers in zstd, and {blob.digest} is one.",
            hint="leave oci-mediatypes=false out, or use compression=gzip,force-compression=true",
        )
    return Descriptor(media_type=media_type, digest=blob.digest, size=blob.size)
