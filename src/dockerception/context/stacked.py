"""File trees laid over one another: the layers of an image, or several contexts as one.

Nothing is merged beforehand: a lookup goes through the trees from the top, a listing merges one directory.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Final, Protocol

import msgspec

from ..errors import ContextError
from ..oci.entry import DIRECTORY, FILE, HARDLINK, WHITEOUT, Entry, parents
from ..oci.toc import directory, sort_key

_MAX_LINKS: Final = 40


class Tree(Protocol):
    """One of the trees.  Its entries may be whiteouts and opaque directories, which act on the trees below it."""

    def find(self, path: str) -> Entry | None:
        """The entry of exactly this path."""

    def members(self, path: str) -> Iterable[tuple[str, Entry | None]]:
        """The paths directly inside ``path`` and their entries, None for what only paths below it imply."""

    def has_below(self, path: str) -> bool:
        """Whether anything lies below ``path``."""

    def digest(self, entry: Entry) -> bytes:
        """As in ``base.Context``; only asked of regular files."""

    def read(self, entry: Entry) -> Iterator[bytes | memoryview]:
        """As in ``base.Context``; only asked of regular files."""


class StackedContext:
    """The trees as one context (see ``base.Context`` for the methods).  ``trees`` go from the lowest to the top one.

    What lies higher wins; directories merge.  A hard link whose target has been replaced in a higher tree is seen as a
    file of its own, since it still has the old contents.
    """

    def __init__(self, trees: Sequence[Tree], *, origin: str, keeps_owners: bool) -> None:
        self._trees = tuple(trees)
        self._origin = origin
        self._keeps_owners = keeps_owners

    @property
    def keeps_owners(self) -> bool:
        return self._keeps_owners

    @property
    def origin(self) -> str:
        return self._origin

    def find(self, path: str) -> Entry | None:
        level, entry = self._locate(path, len(self._trees))
        if entry is None:
            return directory("") if path == "" else None
        return self._seen(level, entry)

    def children(self, path: str) -> Iterator[Entry]:
        decided: dict[str, tuple[int, Entry] | None] = {}
        implied: set[str] = set()
        for level in range(len(self._trees) - 1, -1, -1):
            for member, entry in self._trees[level].members(path):
                if member in decided:
                    continue
                if entry is None:
                    implied.add(member)
                elif entry.kind == WHITEOUT or (member in implied and entry.kind != DIRECTORY):
                    decided[member] = None
                    if self._trees[level].has_below(member):
                        implied.add(member)
                else:
                    decided[member] = (level, entry)
            if self._hides(level, path):
                break
        for member in sorted(decided.keys() | implied, key=sort_key):
            found = decided.get(member)
            if found is not None:
                yield self._seen(*found)
            elif member in implied:
                yield directory(member)

    def walk(self, path: str) -> Iterator[Entry]:
        _, entry = self._locate(path, len(self._trees))
        top = self.find(path)
        if entry is not None and top is not None:
            yield top
        # Not recursive: a hostile layer may be a thousand directories deep.
        pending = [self.children(path)]
        while pending:
            child = next(pending[-1], None)
            if child is None:
                pending.pop()
                continue
            yield child
            if child.kind == DIRECTORY:
                pending.append(self.children(child.path))

    def digest(self, entry: Entry) -> bytes:
        level, file = self._file(entry)
        return file.digest or self._trees[level].digest(file)

    def read(self, entry: Entry) -> Iterator[bytes | memoryview]:
        level, file = self._file(entry)
        return self._trees[level].read(file)

    def _locate(self, path: str, height: int) -> tuple[int, Entry | None]:
        """The entry of a path as the lowest ``height`` trees show it, and the number of its tree."""
        implied_at = -1
        for level in range(height - 1, -1, -1):
            tree = self._trees[level]
            entry = tree.find(path)
            if entry is not None:
                if entry.kind != WHITEOUT and (implied_at < 0 or entry.kind == DIRECTORY):
                    return level, entry
                if implied_at < 0 and tree.has_below(path):
                    implied_at = level  # removed and made anew in one layer
                break
            if implied_at < 0 and path and tree.has_below(path):
                implied_at = level
            if self._hides_above(level, path):
                break
        return (implied_at, directory(path)) if implied_at >= 0 else (-1, None)

    def _hides(self, level: int, path: str) -> bool:
        """Whether a tree hides what lower trees have inside ``path``."""
        entry = self._trees[level].find(path)
        if entry is not None and (entry.kind != DIRECTORY or entry.is_opaque):
            return True
        return self._hides_above(level, path)

    def _hides_above(self, level: int, path: str) -> bool:
        tree = self._trees[level]
        for above in ("", *parents(path)) if path else ():
            entry = tree.find(above)
            if entry is not None and (entry.kind != DIRECTORY or entry.is_opaque):
                return True
        return False

    def _seen(self, level: int, entry: Entry) -> Entry:
        """An entry of one tree as the stack shows it."""
        if entry.kind == HARDLINK:
            target_level, target = self._target(level, entry)
            seen_level, seen = self._locate(target.path, len(self._trees))
            if seen_level == target_level and seen is not None and seen.kind == FILE:
                return msgspec.structs.replace(entry, link=target.path)
            return msgspec.structs.replace(target, path=entry.path)
        return msgspec.structs.replace(entry, is_opaque=False) if entry.is_opaque else entry

    def _target(self, level: int, link: Entry) -> tuple[int, Entry]:
        """The file that a hard link of this tree names, in this tree or below it."""
        current: Entry | None = link
        for _ in range(_MAX_LINKS):
            if current is None or current.kind not in (HARDLINK, FILE):
                break
            if current.kind == FILE:
                return level, current
            level, current = self._locate(current.link, level + 1)
        raise ContextError(f"The hard link {link.path} of {self.origin} does not lead to a file ({link.link}).")

    def _file(self, entry: Entry) -> tuple[int, Entry]:
        level, found = self._locate(entry.path, len(self._trees))
        if found is None or found.kind not in (FILE, HARDLINK):
            raise ContextError(f"{entry.path} of {self.origin} is no regular file.")
        return self._target(level, found)
