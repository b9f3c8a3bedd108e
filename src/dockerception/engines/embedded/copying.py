"""COPY and ADD: from a context's entries to the entries of a new layer (Dockerfile reference, "COPY", "ADD").

What exists at the destination decides what a source becomes; the rules are BuildKit's (tests/peers compares).
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from ...context import select
from ...context.base import Context
from ...dockerfile import instructions as ins
from ...oci.entry import DIRECTORY, FILE, HARDLINK, SYMLINK, Entry, join, name, parent
from . import configuring, keys, modes
from .matching import Source, excluding, missing
from .planting import Origin, Planting

Unpack = Callable[[Context, Entry], Context | None]
"""The files in an archive, or None if the file is no archive."""


class _Tree(msgspec.Struct, frozen=True, kw_only=True):
    """A directory or an archive that is copied as a whole, in which hard links stay links.

    ``place`` tells where a path of it goes; ``ahead`` has the files of which a link was met first.
    """

    place: Callable[[str], str]
    ahead: dict[str, Origin] = {}


class Copier:
    """Executes one COPY or ADD onto a ``Planting``."""

    def __init__(
        self,
        instruction: ins.Copy | ins.Add,
        planting: Planting,
        *,
        working_dir: str,
        owner: tuple[int, int] | None,
        unpack: Unpack,
    ) -> None:
        self._planting = planting
        self._owner = owner
        self._chmod = modes.parse(instruction.chmod)
        self._unpack = unpack
        self._destination = configuring.absolute(instruction.destination, working_dir).lstrip("/")
        self._is_directory = keys.is_directory_destination(instruction)
        self._rules = excluding(instruction)

    def copy(self, source: Source) -> None:
        """Copy one source."""
        entry = _entry(source.context, source.followed)
        base = name(source.path)
        if entry.kind != DIRECTORY and self._is_excluded(base):
            return
        if source.unpacks and entry.kind in (FILE, HARDLINK):
            unpacked = self._unpack(source.context, entry)
            if unpacked is not None:
                self._place_archive(unpacked)
                return
        target = self._target(base, is_directory=entry.kind == DIRECTORY)
        if entry.kind == DIRECTORY:
            self._copy_children(source.context, source.followed, target)
        else:
            self._copy_file(source.context, entry, target, None)

    def _target(self, base: str, *, is_directory: bool) -> str:
        """The path that a source is copied to; directories above it are made, and it itself if it is one."""
        planting = self._planting
        if self._is_directory:
            planting.make_directory(planting.resolve(self._destination))
        else:
            planting.make_directory(planting.resolve(parent(self._destination)))
        target = planting.resolve(self._destination)
        if is_directory:
            return planting.make_directory(target)
        found = planting.find(target)
        if found is not None and found.kind == DIRECTORY:
            target = join(target, base)
        planting.make_directory(parent(target))
        return target

    def _copy_children(self, context: Context, directory: str, target: str) -> None:
        """Copy what is inside a directory; hard links stay links where both ends are inside."""
        skip = len(directory) + 1 if directory else 0
        tree = _Tree(place=lambda path: join(target, path[skip:]))
        excluded_parents: set[str] = set()
        for entry in context.walk(directory):
            if entry.path == directory:
                continue
            inside = entry.path[skip:]
            if self._is_excluded(inside):
                if entry.kind == DIRECTORY:
                    excluded_parents.add(inside)
                continue
            place = join(target, inside)
            if entry.kind == DIRECTORY:
                self._planting.put(self._dressed(entry, context, place))
                continue
            if excluded_parents and parent(inside) in excluded_parents:
                self._planting.make_directory(parent(place))
            self._copy_file(context, entry, place, tree)

    def _copy_file(self, context: Context, entry: Entry, place: str, tree: _Tree | None) -> None:
        """Copy anything but a directory.  ``tree`` is the copied directory that it is in."""
        file = _entry(context, entry.link) if entry.kind == HARDLINK else entry
        dressed = self._dressed(file, context, place)
        if file.kind != FILE:
            self._planting.put(dressed)
            return
        origin = self._origin(context, file, tree, is_link=entry.kind == HARDLINK)
        self._planting.put(msgspec.structs.replace(dressed, digest=context.digest(file)), origin)

    def _origin(self, context: Context, file: Entry, tree: _Tree | None, *, is_link: bool) -> Origin:
        """Where a file's bytes are: the same object for all its names in one tree, whichever of them comes first."""
        if tree is None:
            return context, file
        known = tree.ahead.get(file.path)
        if known is not None or not is_link:
            return known or (context, file)
        placed = self._planting.origins.get(tree.place(file.path))
        if placed is None or placed[1].path != file.path:
            placed = tree.ahead[file.path] = (context, file)
        return self._planting.share(placed)

    def _dressed(self, entry: Entry, context: Context, place: str) -> Entry:
        """An entry with the path, owner and mode that it gets in the image."""
        uid, gid = (entry.uid, entry.gid) if context.keeps_owners else (0, 0)
        if self._owner is not None:
            uid, gid = self._owner
        mode = entry.mode
        if self._chmod is not None and entry.kind != SYMLINK:
            mode = self._chmod(mode, entry.kind == DIRECTORY)
        return msgspec.structs.replace(entry, path=place, uid=uid, gid=gid, mode=mode, is_opaque=False, offset=-1)

    def _is_excluded(self, path: str) -> bool:
        return self._rules is not None and self._rules.is_ignored(path)

    def _place_archive(self, archive: Context) -> None:
        """Unpack an archive into the destination: owners, modes and times are the archive's own."""
        planting = self._planting
        root = planting.make_directory(planting.resolve(self._destination))
        tree = _Tree(place=lambda path: self._inside(root, path))
        for entry in archive.walk(""):
            place = self._inside(root, entry.path)
            if entry.path:
                planting.make_directory(parent(place))
            file = _entry(archive, entry.link) if entry.kind == HARDLINK else entry
            origin = None
            if file.kind == FILE:
                origin = self._origin(archive, file, tree, is_link=entry.kind == HARDLINK)
            if place:
                planting.replace(msgspec.structs.replace(file, path=place, offset=-1), origin)

    def _inside(self, root: str, path: str) -> str:
        """A path of the archive below ``root``: links on the way are followed as if ``root`` were the whole world."""
        if not path:
            return root
        directory = select.follow(
            lambda inner: self._planting.find(join(root, inner)), parent(path), origin="the image"
        )
        return join(join(root, directory) if directory else root, name(path))


def _entry(context: Context, path: str) -> Entry:
    found = context.find(path)
    if found is None:
        raise missing(path, context)
    return found
