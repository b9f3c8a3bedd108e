"""What makes one list of files of another: the layer between two states of a context."""

from __future__ import annotations

from collections.abc import Iterator

from ...context.base import Context
from ...oci.entry import DIRECTORY, HARDLINK, WHITEOUT, Entry, is_same, parent
from ...oci.toc import Toc


def difference(wanted: Toc, below: Context) -> Toc | None:
    """The layer that shows ``wanted`` where it lies on ``below``, both with digests.

    None where there are hard links, which can name files of their own layer only.
    """
    if any(entry.kind == HARDLINK for entry in wanted):
        return None
    new = [entry for entry in wanted if not _is_there(entry, below)]
    return Toc.of([*new, *_gone(wanted, below)])


def _is_there(entry: Entry, below: Context) -> bool:
    found = below.find(entry.path)
    return found is not None and is_same(entry, found)


def _gone(wanted: Toc, below: Context) -> Iterator[Entry]:
    """A whiteout for each top of what is removed; what a file takes the place of needs none."""
    removed = ""
    for entry in below.walk(""):
        if removed and entry.path.startswith(removed):
            continue
        if entry.path and wanted.find(entry.path) is None:
            removed = f"{entry.path}/"
            above = parent(entry.path)
            owner = wanted.find(above) if above else None
            if not above or (owner is not None and owner.kind == DIRECTORY):
                yield Entry(path=entry.path, kind=WHITEOUT)
