"""Changes the list of a received context before it is built from: a single top directory, and ignored files."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import msgspec

from ..oci.entry import DIRECTORY, FILE, HARDLINK, Entry, join, parents
from ..oci.toc import Toc
from .ignore import IgnoreRules


def strip_single_directory(toc: Toc, dockerfile_name: str) -> tuple[Toc, str]:
    """The toc of what is in the only top directory, and a note that says so; or the toc as it is, and no note.

    Done only if the root has no file of the Dockerfile's name and that directory has: ``tar c project`` was meant.
    """
    top = list(toc.children(""))
    if len(top) != 1 or top[0].kind != DIRECTORY or not _has_file(toc, join(top[0].path, dockerfile_name)):
        return toc, ""
    path = top[0].path
    note = f"The context has a single directory “{path}” at its top, which holds the {dockerfile_name}: it is the root."
    return Toc.of(_moved_up(toc, path)), note


def apply_ignore(toc: Toc, rules: IgnoreRules) -> tuple[Toc, int]:
    """The toc without what the rules ignore, and how many entries were dropped.

    Ignored directories stay where an exception brings something in them back.  Hard links to a dropped file become a
    file and links to it.
    """
    kept = _kept_paths(toc, rules)
    dropped = len(toc) - len(kept)
    if not dropped:
        return toc, 0
    return Toc.of(relinked((entry for entry in toc if entry.path in kept), toc)), dropped


def relinked(kept: Iterable[Entry], whole: Toc) -> Iterator[Entry]:
    """The kept entries of ``whole``, where hard links to a file that is not kept name the first of them instead.

    That first one becomes the file.  ``kept`` is in canonical order.
    """
    entries = list(kept)
    files = {entry.path for entry in entries if entry.kind == FILE}
    heirs: dict[str, str] = {}
    for entry in entries:
        target = whole.find(entry.link) if entry.kind == HARDLINK and entry.link not in files else None
        if target is None:
            yield entry
        elif target.path in heirs:
            yield msgspec.structs.replace(entry, link=heirs[target.path])
        else:
            heirs[target.path] = entry.path
            yield msgspec.structs.replace(target, path=entry.path)


def _kept_paths(toc: Toc, rules: IgnoreRules) -> set[str]:
    kept: set[str] = set()
    states = {"": rules.start()}
    for path in toc.paths():
        above = path.rpartition("/")[0]
        is_ignored, states[path] = rules.check(states[above], path)
        if not is_ignored:
            kept.add(path)
            if above and above not in kept:
                kept.update(parents(path))
    return kept


def _has_file(toc: Toc, path: str) -> bool:
    entry = toc.find(path)
    return entry is not None and entry.kind != DIRECTORY


def _moved_up(toc: Toc, path: str) -> Iterator[Entry]:
    skip = len(path) + 1
    for entry in toc.walk(path):
        if entry.path != path:
            link = entry.link[skip:] if entry.kind == HARDLINK else entry.link
            yield msgspec.structs.replace(entry, path=entry.path[skip:], link=link)
