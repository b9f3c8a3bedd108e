"""Writes the entries of a layer into the current root directory, which holds nothing but this layer.

Paths are relative to the root; links lead nowhere else, because the process has no other root.  Directories get their
owner, mode and times last: until then everything can be written into them, and nothing inherits a set-group-id bit.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from typing import Final

from ..errors import ImageError
from ..oci.entry import BLOCK, CHAR, FIFO, HARDLINK, SYMLINK, Entry, parent, parents
from ..oci.tarreader import ZEROS
from . import marks, owners
from .attributes import copy_attributes
from .below import Below

_CREATE: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_BILLION: Final = 1_000_000_000
_REFUSED: Final = (errno.EPERM, errno.EOPNOTSUPP, errno.EINVAL)


class TreeWriter:
    """One layer.  Of entries with one path the last wins; a whiteout hides only what other layers have.

    ``absent`` and ``absent_xattrs`` are what this machine's namespace may not create: device nodes, and attributes of
    the ``security`` and ``trusted`` classes.
    """

    def __init__(self, below: Below) -> None:
        self.absent: list[bytes] = []
        self.absent_xattrs: list[tuple[bytes, str]] = []
        self._below = below
        self._directories: dict[str, Entry] = {}
        self._implied = {""}
        self._known = {""}

    def file(self, entry: Entry, contents: Iterator[memoryview]) -> None:
        """Make a regular file; holes stay holes."""
        path = self._make_room(entry.path)
        try:
            descriptor = os.open(path, _CREATE, entry.mode & 0o777)
        except FileExistsError:
            self._clear(path)
            descriptor = os.open(path, _CREATE, entry.mode & 0o777)
        try:
            if entry.size:
                _write(descriptor, entry.size, contents)
            if entry.uid or entry.gid:
                owners.give(descriptor, entry.uid, entry.gid, entry.path)
            if entry.mode & ~0o777:
                os.chmod(descriptor, entry.mode)  # after chown, which clears these bits
            for name, value in entry.xattrs:
                self._set_xattr(descriptor, entry, name, value)
            os.utime(descriptor, ns=(entry.mtime * _BILLION, entry.mtime * _BILLION))
        finally:
            os.close(descriptor)

    def directory(self, entry: Entry) -> None:
        """Make a directory, or give one that is there already these attributes."""
        if entry.path:
            self._make_room(entry.path)
            self._make_directory(entry.path)
        self._directories[entry.path] = entry

    def other(self, entry: Entry) -> None:
        """Make a link, a hard link, a device node or a fifo."""
        path = self._make_room(entry.path)
        try:
            self._make_other(path, entry)
        except FileExistsError:
            self._clear(path)
            self._make_other(path, entry)

    def whiteout(self, path: str) -> None:
        """Hide what other layers have at ``path``."""
        self._make_room(path)
        try:
            marks.hide(path)
        except FileExistsError:
            if stat.S_ISDIR(os.lstat(path).st_mode):
                _make_opaque(path)

    def make_opaque(self, path: str) -> None:
        """Hide what other layers have in the directory ``path``."""
        if path:
            self._make_room(path)
            self._make_directory(path)
        _make_opaque(path or ".")

    def finish(self) -> None:
        """Give the directories their owners, modes, attributes and times: those of their entries, else those below."""
        for path in self._implied.difference(self._directories):
            self._copy_attributes(path)
        for path, entry in self._directories.items():
            name = path or "."
            if entry.uid or entry.gid:
                owners.give(name, entry.uid, entry.gid, entry.path)
            os.chmod(name, entry.mode)
            for attribute, value in entry.xattrs:
                self._set_xattr(name, entry, attribute, value)
            os.utime(name, ns=(entry.mtime * _BILLION, entry.mtime * _BILLION))

    def _make_other(self, path: str, entry: Entry) -> None:
        if entry.kind == HARDLINK:
            self._hard_link(path, entry)
            return
        if entry.kind == SYMLINK:
            os.symlink(entry.link, path)
        elif entry.kind == FIFO:
            os.mkfifo(path, entry.mode & 0o777)
        elif not self._make_node(path, entry):
            return
        if entry.uid or entry.gid:
            owners.give(path, entry.uid, entry.gid, entry.path)
        if entry.kind != SYMLINK:
            os.chmod(path, entry.mode)
        for name, value in entry.xattrs:
            self._set_xattr(path, entry, name, value)
        os.utime(path, ns=(entry.mtime * _BILLION, entry.mtime * _BILLION), follow_symlinks=False)

    def _hard_link(self, path: str, entry: Entry) -> None:
        try:
            status = os.lstat(entry.link or ".")
        except OSError:
            raise ImageError(f"that is a hard link to “{entry.link}”, which is not in this layer.") from None
        if stat.S_ISDIR(status.st_mode) or marks.is_whiteout(status):
            raise ImageError(f"that is a hard link to “{entry.link}”, which is not a file.")
        if entry.link != entry.path:
            os.link(entry.link, path, follow_symlinks=False)

    def _make_node(self, path: str, entry: Entry) -> bool:
        kind = {CHAR: stat.S_IFCHR, BLOCK: stat.S_IFBLK}[entry.kind]
        try:
            os.mknod(path, kind | (entry.mode & 0o777), os.makedev(*entry.device))
        except PermissionError:
            self.absent.append(os.fsencode(entry.path))
            return False
        return True

    def _make_room(self, path: str) -> str:
        """Make the directories above ``path``."""
        above = parent(path)
        if above not in self._known:
            for each in parents(path):
                if each not in self._known:
                    if self._make_directory(each, may_be_link=True):
                        self._implied.add(each)
                    self._known.add(each)
        return path

    def _make_directory(self, path: str, *, may_be_link: bool = False) -> bool:
        """Make a directory unless it is there; returns whether it is new."""
        try:
            os.mkdir(path, 0o755)
        except FileExistsError:
            status = os.lstat(path)
            if stat.S_ISDIR(status.st_mode):
                return False
            if marks.is_whiteout(status):
                os.unlink(path)
                os.mkdir(path, 0o755)
                _make_opaque(path)
                return False
            if may_be_link:
                self._follow(path, status)
                return False
            self._clear(path)
            os.mkdir(path, 0o755)
        return True

    def _follow(self, path: str, status: os.stat_result) -> None:
        """See to it that an entry in the place of a directory leads to one, or raise ``ImageError``."""
        if not stat.S_ISLNK(status.st_mode):
            raise ImageError(f"below “{path}”, which is not a directory.")
        # The layer's own link leads to somewhere in this layer, perhaps not made yet.
        os.makedirs(os.path.realpath(f"/{path}"), 0o755, exist_ok=True)

    def _clear(self, path: str) -> None:
        """Remove what an earlier entry made at ``path``."""
        status = os.lstat(path)
        if not stat.S_ISDIR(status.st_mode):
            os.unlink(path)
            return
        _remove_tree(path)
        prefix = f"{path}/"
        self._known = {""}
        self._implied = {other for other in self._implied if other != path and not other.startswith(prefix)}
        for other in [other for other in self._directories if other == path or other.startswith(prefix)]:
            del self._directories[other]

    def _copy_attributes(self, path: str) -> None:
        found = self._below.open(path)
        if found is not None:
            copy_attributes(found, path or ".")
            os.close(found)

    def _set_xattr(self, target: str | int, entry: Entry, name: str, value: bytes) -> None:
        try:
            if isinstance(target, int):
                os.setxattr(target, name, value)
            else:
                os.setxattr(target, name, value, follow_symlinks=False)
        except OSError as error:
            if error.errno not in _REFUSED:
                raise
            self.absent_xattrs.append((os.fsencode(entry.path), name))


def _make_opaque(path: str) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    marks.make_opaque(descriptor)
    os.close(descriptor)


def _write(descriptor: int, size: int, contents: Iterator[memoryview]) -> None:
    has_hole_last = False
    for chunk in contents:
        has_hole_last = chunk.obj is ZEROS.obj
        if has_hole_last:
            os.lseek(descriptor, len(chunk), os.SEEK_CUR)
            continue
        written = os.write(descriptor, chunk)
        while written < len(chunk):
            written += os.write(descriptor, chunk[written:])
    if has_hole_last:
        os.truncate(descriptor, size)


def _remove_tree(path: str) -> None:
    folders = [path]
    for folder in folders:  # grows as it goes
        with os.scandir(folder) as found:
            for each in found:
                if each.is_dir(follow_symlinks=False):
                    folders.append(each.path)
                else:
                    os.unlink(each.path)
    for folder in reversed(folders):
        os.rmdir(folder)
