"""What IN and PUBLISH say and no plain COPY does: that a directory was empty before, and what is gone from it since."""

from __future__ import annotations

from ...context.base import Context
from ...oci.entry import DIRECTORY, join, parent
from ..directories import occupied
from .matching import FILLED, PUBLISHED, Source
from .planting import Planting

__all__ = ["FILLED", "PUBLISHED", "check_is_free", "remove_missing"]


def check_is_free(below: Context, planting: Planting, destination: str) -> None:
    """Raise ``DockerfileError`` unless the destination of an IN block is absent or an empty directory."""
    path = planting.resolve(destination.lstrip("/"))
    entry = below.find(path)
    if entry is None:
        return
    names = [child.path for child in below.children(path)] if entry.kind == DIRECTORY else [path]
    if names or entry.kind != DIRECTORY:
        raise occupied(path, names)


def remove_missing(below: Context, planting: Planting, source: Source) -> None:
    """Remove from the new image what the published directory does not have."""
    removed: set[str] = set()
    for entry in below.walk(""):
        if not entry.path:
            continue
        if parent(entry.path) in removed:
            removed.add(entry.path)
        elif source.context.find(join(source.followed, entry.path) if source.followed else entry.path) is None:
            removed.add(entry.path)
            planting.remove(entry.path)
