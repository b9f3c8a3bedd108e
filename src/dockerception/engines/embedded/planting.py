"""New entries on top of an image's files: where a path leads, which directories must be made, what replaces what.

The rules for existing targets are BuildKit's: a directory keeps its attributes unless the copy brings its own, files
replace files and links, and nothing turns a directory into a file or the other way round.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final

import msgspec

from ...context.base import Context
from ...context.select import follow
from ...errors import ContextError
from ...oci.entry import DIRECTORY, FILE, HARDLINK, WHITEOUT, Entry, is_same, name, parent, parents
from ...oci.tarwriter import WHITEOUT_PREFIX
from ...oci.toc import Toc, sort_key
from .changes import changed

Origin = tuple[Context, Entry]
"""Where a file's bytes are.  Names that were placed with the very same object are hard links of each other."""

_ORIGIN: Final = "the image"
_UNSET_TIME: Final = -1
DIRECTORY_MODE: Final = 0o755


class Planting:
    """Collects the entries of a new layer over ``below``.

    ``owner`` is what directories that must be made belong to; ``replaces_anything`` lets a file take the place of a
    directory, and the other way round.  ``origins`` tells for each new file the context and the
    entry whose bytes it has.  Hard links are placed as files that share their origin: which of the names is the file,
    and which are links to it, is known only when all are there, as each of them may be replaced.
    """

    def __init__(
        self, below: Context, *, owner: tuple[int, int], default_time: int = 0, replaces_anything: bool = False
    ) -> None:
        self._below = below
        self._replaces_anything = replaces_anything
        self._owner = owner
        self._default_time = default_time
        self._new: dict[str, Entry] = {}
        self._shared: dict[int, Origin] = {}
        self.origins: dict[str, Origin] = {}

    def find(self, path: str) -> Entry | None:
        """The entry at a path as it will be; links not followed."""
        return self._new.get(path) or self._below.find(path)

    def make_directory(self, path: str) -> str:
        """``mkdir -p`` of a resolved path; returns it.  Raises ``ContextError`` where something else is in the way."""
        for directory in (*parents(path), path):
            if directory == "":
                continue
            found = self.find(directory)
            if found is None:
                uid, gid = self._owner
                self._new[directory] = Entry(
                    path=directory, kind=DIRECTORY, mode=DIRECTORY_MODE, uid=uid, gid=gid, mtime=_UNSET_TIME
                )
            elif found.kind != DIRECTORY:
                raise ContextError(f"/{directory} can't be made a directory: it is a {found.kind} in the image.")
        return path

    def share(self, origin: Origin) -> Origin:
        """Let a file have several names: all that are placed with this object.  Returns it."""
        self._shared[id(origin)] = origin
        return origin

    def put(self, entry: Entry, origin: Origin | None = None) -> None:
        """Place an entry at its (resolved) path, whose directory exists."""
        _check_name(entry)
        found = self.find(entry.path)
        is_conflict = found is not None and (found.kind == DIRECTORY) != (entry.kind == DIRECTORY)
        if found is not None and is_conflict and not self._replaces_anything:
            raise _type_conflict(entry, found)
        self._take(entry, origin)

    def remove(self, path: str) -> None:
        """Have the new layer remove what is at a path below, and everything under it."""
        self._new[path] = Entry(path=path, kind=WHITEOUT, mtime=self._default_time)

    def replace(self, entry: Entry, origin: Origin | None = None) -> None:
        """``put``, but whatever is in the way goes, as when a tar archive is unpacked; only directories merge."""
        _check_name(entry)
        found = self.find(entry.path)
        if found is not None and found.kind != entry.kind:
            prefix = f"{entry.path}/"
            for path in [path for path in self._new if path == entry.path or path.startswith(prefix)]:
                del self._new[path]
                self.origins.pop(path, None)
        self._take(entry, origin)

    def resolve(self, path: str) -> str:
        """Where a path leads when links of the image, old and new, are followed inside it, the last one too.

        Components that do not exist stay as they are.  Raises ``ContextError`` for a loop.
        """
        return follow(self.find, path, origin=_ORIGIN)

    def finish(self) -> Toc:
        """The entries of the new layer: those that change something, directories dated by what came into them."""
        self._date_directories()
        self._tie_links()
        return changed(self._new.values(), self._changes_nothing)

    def _take(self, entry: Entry, origin: Origin | None) -> None:
        self._new[entry.path] = entry
        if origin is None:
            self.origins.pop(entry.path, None)
        else:
            self.origins[entry.path] = origin

    def _changes_nothing(self, entry: Entry) -> bool:
        found = self._below.find(entry.path)
        return found is not None and is_same(entry, found)

    def _tie_links(self) -> None:
        """Make the first name of each shared file the file, the others links to it: no tar may have a link first."""
        names: dict[int, list[str]] = {number: [] for number in self._shared}
        for path, origin in self.origins.items() if names else ():
            if id(origin) in names:
                names[id(origin)].append(path)
        for paths in names.values():
            first, *others = sorted(paths, key=sort_key) or [""]
            for path in others:
                self._new[path] = msgspec.structs.replace(
                    self._new[path], kind=HARDLINK, link=first, size=0, digest=b""
                )

    def _date_directories(self) -> None:
        unset = {path for path, entry in self._new.items() if entry.mtime == _UNSET_TIME}
        newest: dict[str, int] = {}
        for path, entry in self._new.items():
            if path in unset:
                continue
            directory = path
            while directory:
                directory = parent(directory)
                if directory in unset:
                    newest[directory] = max(newest.get(directory, 0), entry.mtime)
        for path in unset:
            self._new[path] = msgspec.structs.replace(self._new[path], mtime=newest.get(path, self._default_time))


def _check_name(entry: Entry) -> None:
    if name(entry.path).startswith(WHITEOUT_PREFIX):
        raise ContextError(
            f"/{entry.path} can't be in an image: in a layer, names that begin with {WHITEOUT_PREFIX} mean removals.",
            hint="rename the file, or leave it out with .dockerignore",
        )


def contents_of(planting: Planting) -> Callable[[Entry], Iterable[bytes | memoryview]]:
    """How to read the bytes of the new files."""

    def read(entry: Entry) -> Iterable[bytes | memoryview]:
        context, source = planting.origins[entry.path]
        return context.read(source)

    return read


def _type_conflict(entry: Entry, found: Entry) -> ContextError:
    if entry.kind == DIRECTORY:
        return ContextError(
            f"The directory /{entry.path} can't be copied: /{entry.path} is a {found.kind} in the image.",
            hint="copy its contents to where that leads, or remove it first",
        )
    what = "file" if entry.kind == FILE else entry.kind
    return ContextError(f"The {what} /{entry.path} can't be copied: there is a directory of that name in the image.")
