"""Files written into a directory of this machine, through no link that is or comes there.

Every step is relative to an open directory, and directories are opened without following links.  A file is written
under a temporary name and renamed, so that what it replaces is never written through.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterable
from typing import Final

from ..oci.entry import BLOCK, CHAR, DIRECTORY, FIFO, FILE, HARDLINK, SYMLINK, Entry, name, parent, parents
from ..oci.tarreader import ZEROS
from .canonical import Contents
from .destination import undone_on_failure, writing_failure

_OPEN_DIRECTORY: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_CREATE: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_TEMPORARY: Final = ".dockerception.tmp"
_SHOWN: Final = 5


class TreeWriter:
    """Writes entries, given in canonical order, below ``directory``.  Use it once."""

    def __init__(self, directory: str, contents: Contents, *, keeps_owners: bool) -> None:
        self._directory = directory
        self._contents = contents
        self._keeps_owners = keeps_owners
        self._open: list[tuple[str, int, Entry | None]] = []
        self._left_out: dict[str, list[str]] = {}

    def write(self, entries: Iterable[Entry]) -> list[str]:
        """Write everything; returns notes about what was left out.

        Raises ``DiskFullError`` and ``TransportError``.  After any failure a directory that was new or empty is so
        again; in another one, what has been written until then stays.
        """
        with undone_on_failure(self._directory):
            self._write_all(entries)
        return [_note(what, paths) for what, paths in self._left_out.items()]

    def _write_all(self, entries: Iterable[Entry]) -> None:
        current = self._directory
        try:
            os.makedirs(self._directory, exist_ok=True)
            self._open.append(("", os.open(self._directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC), None))
            for entry in entries:
                current = os.path.join(self._directory, entry.path)
                if entry.path:
                    self._write(entry)
            while self._open:
                self._leave()
        except OSError as error:
            raise writing_failure(current, error) from error
        finally:
            for _, descriptor, _ in self._open:
                os.close(descriptor)

    def _write(self, entry: Entry) -> None:
        folder = self._enter(parent(entry.path))
        if entry.kind == DIRECTORY:
            self._open.append((entry.path, self._make_directory(folder, name(entry.path)), entry))
            return
        if entry.kind in (CHAR, BLOCK):
            self._left_out.setdefault("device nodes", []).append(entry.path)
            return
        try:
            self._make(folder, entry)
        except BaseException:
            _remove(folder, _TEMPORARY)
            raise
        _clear_directory(folder, name(entry.path))
        os.rename(_TEMPORARY, name(entry.path), src_dir_fd=folder, dst_dir_fd=folder)
        if entry.kind == HARDLINK:
            # Renaming one link of a file over another of the same file does nothing (POSIX rename).
            _remove(folder, _TEMPORARY)

    def _enter(self, path: str) -> int:
        """The open directory for ``path``; those that are behind us in canonical order are finished and closed."""
        while self._open[-1][0] and self._open[-1][0] != path and not path.startswith(f"{self._open[-1][0]}/"):
            self._leave()
        for folder in [*parents(path), path]:
            if len(folder) > len(self._open[-1][0]):  # one that has no entry of its own
                self._open.append((folder, self._make_directory(self._open[-1][1], name(folder)), None))
        return self._open[-1][1]

    def _leave(self) -> None:
        _, descriptor, entry = self._open.pop()
        try:
            if entry is not None:
                self._set_attributes(descriptor, entry)
        finally:
            os.close(descriptor)

    def _make_directory(self, folder: int, child: str) -> int:
        try:
            return os.open(child, _OPEN_DIRECTORY, dir_fd=folder)
        except FileNotFoundError:
            pass
        except OSError as error:
            if error.errno not in (errno.ENOTDIR, errno.ELOOP):
                raise
            os.unlink(child, dir_fd=folder)
        os.mkdir(child, 0o755, dir_fd=folder)
        return os.open(child, _OPEN_DIRECTORY, dir_fd=folder)

    def _make(self, folder: int, entry: Entry) -> None:
        """Make the new file under its temporary name."""
        _remove(folder, _TEMPORARY)
        if entry.kind == FILE:
            self._make_file(folder, entry)
        elif entry.kind == SYMLINK:
            os.symlink(entry.link, _TEMPORARY, dir_fd=folder)
            self._own(entry, folder)
            os.utime(_TEMPORARY, (entry.mtime, entry.mtime), dir_fd=folder, follow_symlinks=False)
        elif entry.kind == HARDLINK:
            self._make_link(folder, entry)
        elif entry.kind == FIFO:
            os.mkfifo(_TEMPORARY, 0o600, dir_fd=folder)
            self._own(entry, folder)
            os.chmod(_TEMPORARY, entry.mode, dir_fd=folder)
            os.utime(_TEMPORARY, (entry.mtime, entry.mtime), dir_fd=folder)

    def _make_file(self, folder: int, entry: Entry) -> None:
        descriptor = os.open(_TEMPORARY, _CREATE, 0o600, dir_fd=folder)
        try:
            for chunk in self._contents(entry):
                if isinstance(chunk, memoryview) and chunk.obj is ZEROS.obj:
                    os.lseek(descriptor, len(chunk), os.SEEK_CUR)
                else:
                    _write_all(descriptor, chunk)
            os.ftruncate(descriptor, entry.size)
            self._set_attributes(descriptor, entry)
        finally:
            os.close(descriptor)

    def _make_link(self, folder: int, entry: Entry) -> None:
        """A hard link to a file written before; its directory is looked up anew, through no link."""
        source = os.dup(self._open[0][1])
        try:
            for part in parents(entry.link):
                deeper = os.open(name(part), _OPEN_DIRECTORY, dir_fd=source)
                os.close(source)
                source = deeper
            os.link(name(entry.link), _TEMPORARY, src_dir_fd=source, dst_dir_fd=folder, follow_symlinks=False)
        finally:
            os.close(source)

    def _own(self, entry: Entry, folder: int) -> None:
        if self._keeps_owners:
            os.chown(_TEMPORARY, entry.uid, entry.gid, dir_fd=folder, follow_symlinks=False)

    def _set_attributes(self, descriptor: int, entry: Entry) -> None:
        if self._keeps_owners:
            os.fchown(descriptor, entry.uid, entry.gid)  # before the mode: it clears setuid and file capabilities
        os.fchmod(descriptor, entry.mode)
        for key, value in entry.xattrs:
            try:
                os.setxattr(descriptor, key, value)
            except OSError:
                self._left_out.setdefault(f"attributes {key}", []).append(entry.path)
        os.utime(descriptor, (entry.mtime, entry.mtime))


def _write_all(descriptor: int, chunk: bytes | memoryview) -> None:
    rest = memoryview(chunk)
    while rest:
        rest = rest[os.write(descriptor, rest) :]


def _remove(folder: int, child: str) -> None:
    try:
        os.unlink(child, dir_fd=folder)
    except FileNotFoundError:
        pass


def _clear_directory(folder: int, child: str) -> None:
    """Remove a directory that a file is to replace; ``rename`` replaces everything else."""
    import shutil

    try:
        status = os.stat(child, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        return
    if stat.S_ISDIR(status.st_mode):
        shutil.rmtree(child, dir_fd=folder)


def _note(what: str, paths: list[str]) -> str:
    shown = ", ".join(paths[:_SHOWN]) + (f" and {len(paths) - _SHOWN} more" if len(paths) > _SHOWN else "")
    return f"left out {what} that the directory can't hold: {shown}"
