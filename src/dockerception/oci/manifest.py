"""Descriptors, manifests and indexes (image-spec descriptor.md, manifest.md, image-index.md; Docker's schema 2)."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import msgspec

from ..errors import ImageError, UsageError
from ..reference import Digest, Platform
from . import media_types
from .documents import UNREADABLE


class DescriptorPlatform(msgspec.Struct, frozen=True, omit_defaults=True):
    """The ``platform`` object of a descriptor in an index."""

    architecture: str
    os: str
    variant: str = ""


class Descriptor(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    """What names a blob: its media type, digest and size in bytes."""

    media_type: str
    digest: str
    size: int
    annotations: dict[str, str] | None = None
    platform: DescriptorPlatform | None = None


class Manifest(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    """One image: a config and its layers, bottom first."""

    schema_version: int
    media_type: str = ""
    config: Descriptor
    layers: tuple[Descriptor, ...]
    annotations: dict[str, str] | None = None


class Index(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    """Several images under one name, one a platform."""

    schema_version: int
    media_type: str = ""
    manifests: tuple[Descriptor, ...]
    annotations: dict[str, str] | None = None


def describe(data: bytes, media_type: str) -> Descriptor:
    """The descriptor of these bytes."""
    return Descriptor(media_type=media_type, digest=f"sha256:{hashlib.sha256(data).hexdigest()}", size=len(data))


def encode(document: Manifest | Index) -> bytes:
    """The document's bytes, in the field order of the specification."""
    return msgspec.json.encode(document)


def decode_manifest(data: bytes) -> Manifest:
    """Read a manifest; raises ``ImageError`` if it is not one or if a digest in it is malformed."""
    try:
        manifest = msgspec.json.decode(data, type=Manifest)
    except UNREADABLE as error:
        raise ImageError(f"The image manifest is not a valid document: {error}.") from error
    _check_descriptors([manifest.config, *manifest.layers])
    return manifest


def decode_index(data: bytes) -> Index:
    """Read an index; raises ``ImageError`` if it is not one or if a digest in it is malformed."""
    try:
        index = msgspec.json.decode(data, type=Index)
    except UNREADABLE as error:
        raise ImageError(f"The image index is not a valid document: {error}.") from error
    _check_descriptors(index.manifests)
    return index


def choose(index: Index, platform: Platform) -> Descriptor:
    """The manifest for a platform: its exact variant, else one without a variant.

    Descriptors without a platform count for any.  Raises ``ImageError`` that lists what there is.
    """
    candidates = [item for item in index.manifests if item.media_type in media_types.MANIFESTS | media_types.INDEXES]
    for wanted in (platform, Platform(platform.os, platform.architecture)):
        for item in candidates:
            if item.platform and _platform_of(item.platform) == wanted:
                return item
    for item in candidates:
        if item.platform is None or (item.platform.os, item.platform.architecture) == (
            platform.os,
            platform.architecture,
        ):
            return item
    there = ", ".join(str(_platform_of(item.platform)) for item in candidates if item.platform) or "nothing"
    raise ImageError(f"The image has no manifest for {platform}.", hint=f"it has {there}; choose one with --platform")


def _platform_of(platform: DescriptorPlatform) -> Platform:
    return Platform.of(platform.os, platform.architecture, platform.variant)


def _check_descriptors(descriptors: Sequence[Descriptor]) -> None:
    for item in descriptors:
        if item.size < 0:
            raise ImageError(f"A descriptor of the image has the size {item.size}.")
        try:
            Digest.parse(item.digest)
        except UsageError as error:
            raise ImageError(f"A descriptor of the image has the digest “{item.digest}”, which is not one.") from error
