"""Names in the index of an OCI layout (image-spec annotations.md and the names that containerd gives)."""

from __future__ import annotations

from collections.abc import Sequence

from ..errors import ImageError, ImageNotFoundError, UsageError
from ..oci import manifest, media_types
from ..oci.manifest import Descriptor, Index
from ..reference import DEFAULT_TAG, Platform, Reference
from .layout import CONTAINERD_NAME, REF_NAME


def names_of(entry: Descriptor) -> tuple[str, ...]:
    """The full name of an index entry where it has one, else its tag."""
    annotations = entry.annotations or {}
    name = annotations.get(CONTAINERD_NAME) or annotations.get(REF_NAME)
    return (name,) if name else ()


def find_tag(index: Index, tag: str, platform: Platform, *, origin: str) -> Descriptor:
    """The entry with a tag or a whole name; with an empty one the only image, else the one with the tag ``latest``.

    Of several entries under one name, or without names, the platform decides.  Raises ``ImageNotFoundError`` or
    ``ImageError``, with a list of the names there are.
    """
    images = [item for item in index.manifests if item.media_type in media_types.MANIFESTS | media_types.INDEXES]
    if not images:
        raise ImageError(f"{origin} holds no image: its index lists none.")
    found = [item for item in images if _has_tag(item, tag)] if tag else images
    if not found:
        raise ImageNotFoundError(f"{origin} has no image with the tag {tag}.", hint=list_names(index))
    if not tag and _are_different(found):
        found = [item for item in images if _has_tag(item, DEFAULT_TAG)]
    if not found or _are_different(found):
        raise ImageError(f"{origin} holds several images.", hint=f"append “:” and a name; {list_names(index)}")
    if len({item.digest for item in found}) == 1:
        return found[0]
    return manifest.choose(Index(schema_version=2, manifests=tuple(found)), platform)


def list_names(index: Index) -> str:
    """The names in an index, as a hint."""
    names = sorted({name for entry in index.manifests for name in names_of(entry)})
    if names:
        return f"it has: {', '.join(names)}"
    return f"it has images without names: {', '.join(entry.digest for entry in index.manifests[:5]) or 'none'}"


def _are_different(entries: Sequence[Descriptor]) -> bool:
    """Whether these are several images that have several names (not one image for several platforms)."""
    return len({item.digest for item in entries}) > 1 and len({names_of(item) for item in entries}) > 1


def _has_tag(entry: Descriptor, tag: str) -> bool:
    annotations = entry.annotations or {}
    given = {annotations.get(REF_NAME, ""), annotations.get(CONTAINERD_NAME, "")} - {""}
    if tag in given:
        return True
    references = [_parse(text) for text in given if "/" in text or ":" in text]
    wanted = _parse(tag)
    return any(item is not None and (item.tag == tag or item == wanted) for item in references)


def _parse(text: str) -> Reference | None:
    """The name, or None for one that nobody can ask for."""
    try:
        return Reference.parse(text)
    except UsageError:
        return None
