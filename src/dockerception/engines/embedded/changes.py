"""What of a list of entries belongs into a layer: all that is not the same in the layers below."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from ...oci.entry import HARDLINK, Entry
from ...oci.toc import Toc


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


def _file(entry: Entry) -> str:
    """What names the file that an entry stands for."""
    return entry.link if entry.kind == HARDLINK else entry.path
