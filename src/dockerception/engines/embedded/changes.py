"""What of a list of entries belongs into a layer: all that is not the same in the layers below."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import msgspec

from ...context.base import Context
from ...oci.entry import DIRECTORY, FILE, HARDLINK, Entry, is_same
from ...oci.toc import Toc


def made_by_run(found: Toc, below: Context) -> Toc:
    """What of the upper directory that a RUN left belongs into its layer.

    An overlay copies things up that nothing changes in the end, and calls a directory opaque that was renamed to where
    nothing is below; the layer must not depend on how the layers were stacked.
    """
    entries = (_without_needless_mark(entry, below) for entry in found)
    return changed(entries, lambda entry: _is_unchanged(entry, below))


def changed(entries: Iterable[Entry], is_unchanged: Callable[[Entry], bool]) -> Toc:
    """The entries that change something.

    The names of one file stay together: a hard link can be made only where the layer has the file that it names, and
    an unchanged link to a file that does change would go on naming the old one.
    """
    listed = list(entries)
    new = [entry for entry in listed if not is_unchanged(entry)]
    if any(entry.kind == HARDLINK for entry in listed):
        files = {_file(entry) for entry in new}
        new = [entry for entry in listed if _file(entry) in files]
    return Toc.of(new)


def _without_needless_mark(entry: Entry, below: Context) -> Entry:
    if entry.is_opaque and ((found := below.find(entry.path)) is None or found.kind != DIRECTORY):
        return msgspec.structs.replace(entry, is_opaque=False)
    return entry


def _is_unchanged(entry: Entry, below: Context) -> bool:
    if entry.path == "":
        # Every new top-level file changes the root's time; only its other attributes make it part of a layer.
        root = below.find("")
        return root is not None and (root.mode, root.uid, root.gid) == (entry.mode, entry.uid, entry.gid)
    found = below.find(entry.path)
    if found is not None and found.kind == HARDLINK and entry.kind == FILE:
        # Copied up alone, as overlays do: still the same file, unless something about it has changed.
        found = below.find(found.link)
    return found is not None and is_same(entry, found)


def _file(entry: Entry) -> str:
    """What names the file that an entry stands for."""
    return entry.link if entry.kind == HARDLINK else entry.path
