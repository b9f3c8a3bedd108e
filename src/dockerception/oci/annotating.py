"""Annotations of what an output writes (image-spec annotations.md), each at its place.

``docker buildx build`` and we write them as attributes of an output: ``annotation[-PLACE][[PLATFORM]].KEY=VALUE``.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

import msgspec

from ..errors import UsageError
from ..reference import Platform

PREFIX: Final = "annotation"
MANIFEST: Final = "manifest"
MANIFEST_DESCRIPTOR: Final = "manifest-descriptor"
INDEX: Final = "index"
INDEX_DESCRIPTOR: Final = "index-descriptor"
PLACES: Final = (MANIFEST, MANIFEST_DESCRIPTOR, INDEX, INDEX_DESCRIPTOR)
_OF_INDEXES: Final = (INDEX, INDEX_DESCRIPTOR)
_NAME: Final = re.compile(rf"{PREFIX}(?:-([a-z-]+))?(?:\[([^\]]*)\])?\.(\S+)")


class Annotation(msgspec.Struct, frozen=True, kw_only=True):
    """One annotation: a key and a value, one of ``PLACES``, and the platform of the image, None for any."""

    place: str
    key: str
    value: str
    platform: Platform | None = None


class Annotations(msgspec.Struct, frozen=True, kw_only=True):
    """The annotations of one image: of its manifest, of the descriptor that leads to that, of the index that has it
    among others, and of the descriptor of that index in a layout."""

    manifest: dict[str, str] = {}
    manifest_descriptor: dict[str, str] = {}
    index: dict[str, str] = {}
    index_descriptor: dict[str, str] = {}


def is_annotation(name: str) -> bool:
    """Whether an attribute of an output is meant to be an annotation."""
    return name.startswith((f"{PREFIX}.", f"{PREFIX}-", f"{PREFIX}["))


def attribute(annotation: Annotation) -> tuple[str, str]:
    """An annotation as an attribute of an output."""
    platform = f"[{annotation.platform}]" if annotation.platform is not None else ""
    return f"{PREFIX}-{annotation.place}{platform}.{annotation.key}", annotation.value


def read(name: str, value: str) -> Annotation:
    """The annotation that an attribute of an output is.  Raises ``UsageError``."""
    found = _NAME.fullmatch(name)
    if found is None:
        raise UsageError(f"“{name}” names no annotation.", hint="write annotation.KEY=VALUE")
    return made(found[1] or MANIFEST, found[2], found[3], value)


def made(place: str, platform: str | None, key: str, value: str) -> Annotation:
    """An annotation of parts as they were written.  Raises ``UsageError`` for a place or platform that there is not."""
    if place not in PLACES:
        raise UsageError(f"There is no “{place}” to annotate.", hint=f"there are {', '.join(PLACES)}")
    if platform is not None and place in _OF_INDEXES:
        raise UsageError(f"An {place} is of no single platform, and [{platform}] is one.", hint="leave it out")
    return Annotation(
        place=place, key=key, value=value, platform=None if platform is None else Platform.parse(platform)
    )


def resolve(annotations: Sequence[Annotation], platform: Platform) -> Annotations:
    """Those of an image of this platform; what is said of the platform is stronger than what is said of any."""
    found: dict[str, dict[str, str]] = {place: {} for place in PLACES}
    for annotation in sorted(annotations, key=lambda each: each.platform is not None):
        if annotation.platform in (None, platform):
            found[annotation.place][annotation.key] = annotation.value
    return Annotations(
        manifest=found[MANIFEST],
        manifest_descriptor=found[MANIFEST_DESCRIPTOR],
        index=found[INDEX],
        index_descriptor=found[INDEX_DESCRIPTOR],
    )


def of_indexes(annotations: Sequence[Annotation]) -> tuple[Annotation, ...]:
    """Those that only an index of several images has a place for."""
    return tuple(each for each in annotations if each.place in _OF_INDEXES)
