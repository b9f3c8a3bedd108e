"""The list of what a directory holds: one walk, ignored parts pruned on the way, nothing read or copied."""

from __future__ import annotations

import errno
import os
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import msgspec

from ..oci.entry import BLOCK, CHAR, DIRECTORY, FIFO, FILE, HARDLINK, SYMLINK, Entry, Kind, parents
from ..oci.toc import Toc, TocBuilder, sort_key
from .digest_cache import SIGNATURE_SIZE, signature
from .ignore import IgnoreRules, State

_KINDS: Final[dict[int, Kind]] = {
    stat.S_IFREG: FILE, stat.S_IFDIR: DIRECTORY, stat.S_IFLNK: SYMLINK, stat.S_IFIFO: FIFO, stat.S_IFCHR: CHAR,
    stat.S_IFBLK: BLOCK, stat.S_IFSOCK: FILE,
}  # fmt: skip
_CAPABILITY: Final = "security.capability"
NO_SIGNATURE: Final = bytes(SIGNATURE_SIZE)
"""Stands where an entry is no regular file."""


class Listing(msgspec.Struct, frozen=True, kw_only=True):
    """What a directory held at ``taken_ns`` (nanoseconds since the epoch).

    ``signatures`` has ``SIGNATURE_SIZE`` bytes for each row of ``toc``, zeros where it is no regular file or one of
    ``hollow``: sockets, and what ``IgnoreRules.is_emptied`` says, are empty files here, as they are for BuildKit.
    ``unreadable`` maps what could not be listed to the system's reason.  ``notes`` is for people.
    """

    toc: Toc
    signatures: bytes
    hollow: frozenset[str]
    taken_ns: int
    unreadable: dict[str, str]
    notes: tuple[str, ...]


def take(root: str, rules: IgnoreRules | None) -> Listing:
    """List the directory ``root``.  Paths that ``rules`` ignore are left out, and not even looked at where possible.

    Owners are 0:0 and times whole seconds, as a context's are.  Of the extended attributes only file capabilities
    are listed: they are what BuildKit's layers carry of them.  Regular files with one inode become hard links of the
    first of them in canonical order.
    """
    return _Walk(root, rules).take()


class _Folder(msgspec.Struct, frozen=True):
    """A directory that is to be listed; ``identity`` is its device and inode as its own directory had them."""

    path: str
    state: State
    identity: tuple[int, int] | None = None

    @contextmanager
    def opened(self, root: str) -> Iterator[int]:
        """The directory, open.  One that somebody has meanwhile replaced, perhaps by a link to elsewhere, as any part
        of its path may be, is none: raises ``OSError`` (ENOTDIR)."""
        descriptor = os.open(f"{root}/{self.path}", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            status = os.fstat(descriptor)
            if self.identity not in (None, (status.st_dev, status.st_ino)):
                raise OSError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), self.path)
            yield descriptor
        finally:
            os.close(descriptor)


class _Walk:
    """The state of one walk."""

    def __init__(self, root: str, rules: IgnoreRules | None) -> None:
        self._root = root
        self._rules = rules
        self._builder = TocBuilder()
        self._signatures: dict[str, bytes] = {}
        self._ignored: dict[str, Entry] = {}
        self._linked: dict[tuple[int, int], list[str]] = {}
        self._unreadable: dict[str, str] = {}
        self._sockets: set[str] = set()
        self._emptied: set[str] = set()
        self._has_xattrs = hasattr(os, "listxattr")

    def take(self) -> Listing:
        taken_ns = time.time_ns()
        pending = [_Folder("", self._rules.start() if self._rules else 0)]
        while pending:
            pending += self._directory(pending.pop())
        for paths in self._linked.values():
            self._link(sorted(paths, key=sort_key))
        toc = self._builder.build()
        find = self._signatures.get
        return Listing(
            toc=toc,
            signatures=b"".join([find(path, NO_SIGNATURE) for path in toc.paths()]),
            hollow=frozenset(self._sockets | self._emptied),
            taken_ns=taken_ns,
            unreadable=self._unreadable,
            notes=self._notes(),
        )

    def _notes(self) -> tuple[str, ...]:
        notes = [f"The socket {path} is an empty file in the context." for path in sorted(self._sockets)]
        if self._emptied:
            first, count = min(self._emptied), len(self._emptied)
            others = f" and {count - 1} more" if count > 1 else ""
            notes.append(
                f"{first}{others} has no content here, as with BuildKit: behind an exception that keeps it, the ignore"
                " file excludes a directory that it is in. Put that line in front of the exception, or repeat it as"
                " DIRECTORY/**."
            )
        return tuple(notes)

    def _directory(self, folder: _Folder) -> list[_Folder]:
        """List one directory; returns the directories inside it that are to be listed too."""
        found: list[_Folder] = []
        path = folder.path
        prefix = f"{path}/" if path else ""
        try:
            with folder.opened(self._root) as descriptor, os.scandir(descriptor) as scan:
                for item in scan:
                    below = self._item(item, prefix + item.name, folder.state, descriptor)
                    if below is not None:
                        status = item.stat(follow_symlinks=False)
                        found.append(_Folder(prefix + item.name, below, (status.st_dev, status.st_ino)))
        except OSError as error:
            if path and error.errno in (errno.ENOENT, errno.ENOTDIR):
                self._builder.remove(path)  # it went away meanwhile, as if a moment earlier
                return []
            if path not in self._ignored:
                self._unreadable[path] = error.strerror or str(error)
        return found

    def _item(self, item: os.DirEntry[str], path: str, state: State, folder: int) -> State | None:
        """List one item; returns the state to list it with if it is a directory that is to be listed."""
        is_ignored, below = False, state
        if self._rules is not None:
            is_ignored, below = self._rules.check(state, path)
            if is_ignored and not (item.is_dir(follow_symlinks=False) and self._rules.may_contain_exceptions(path)):
                return None
        try:
            status = item.stat(follow_symlinks=False)
            entry = self._entry(item, path, status, folder)
        except FileNotFoundError:
            return None
        if is_ignored:
            self._ignored[path] = entry
            return below
        is_emptied = entry.kind == FILE and self._rules is not None and self._rules.is_emptied(path)
        self._add(msgspec.structs.replace(entry, size=0) if is_emptied else entry)
        if stat.S_ISSOCK(status.st_mode):
            self._sockets.add(path)
        elif is_emptied:
            self._emptied.add(path)
        elif entry.kind == FILE:
            self._signatures[path] = signature(status)
            if status.st_nlink > 1:
                self._linked.setdefault((status.st_dev, status.st_ino), []).append(path)
        return below if entry.kind == DIRECTORY else None

    def _add(self, entry: Entry) -> None:
        """Add an entry, and those of its directories that only an exception brings back."""
        if self._ignored:
            for above in parents(entry.path):
                brought_back = self._ignored.pop(above, None)
                if brought_back is not None:
                    self._builder.add(brought_back)
        self._builder.add(entry)

    def _entry(self, item: os.DirEntry[str], path: str, status: os.stat_result, folder: int) -> Entry:
        kind = _KINDS[stat.S_IFMT(status.st_mode)]
        return Entry(
            path=path,
            kind=kind,
            mode=status.st_mode & 0o7777,
            size=status.st_size if stat.S_ISREG(status.st_mode) else 0,
            mtime=status.st_mtime_ns // 1_000_000_000,
            link=os.readlink(item.name, dir_fd=folder) if kind == SYMLINK else "",
            xattrs=self._capability(f"{self._root}/{path}") if kind == FILE else (),
            device=(os.major(status.st_rdev), os.minor(status.st_rdev)) if kind in (CHAR, BLOCK) else (0, 0),
        )

    def _capability(self, path: str) -> tuple[tuple[str, bytes], ...]:
        if not self._has_xattrs:
            return ()
        try:
            names = os.listxattr(path, follow_symlinks=False)
            return (
                ((_CAPABILITY, os.getxattr(path, _CAPABILITY, follow_symlinks=False)),) if _CAPABILITY in names else ()
            )
        except OSError as error:
            if error.errno == errno.ENOENT:
                raise
            self._has_xattrs = error.errno != errno.ENOTSUP
        return ()

    def _link(self, paths: list[str]) -> None:
        """Make all but the first of these names hard links of it."""
        first = paths[0]
        for path in paths[1:]:
            entry = self._builder.find(path)
            if entry is not None:
                self._builder.add(msgspec.structs.replace(entry, kind=HARDLINK, link=first, size=0))
                del self._signatures[path]
