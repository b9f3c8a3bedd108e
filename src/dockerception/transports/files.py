"""Named files of an archive or of a directory: what image archives and layouts are made of.

Nothing of an archive is unpacked, and no name in it ever becomes a path on disk: a name is looked up in the archive's
list, which gives a range of bytes.
"""

from __future__ import annotations

import os
import stat
from contextlib import ExitStack
from typing import IO, Final, Protocol

from ..errors import ImageError, TransportError
from ..oci import compression
from ..oci.entry import FILE, HARDLINK, NO_OFFSET, SYMLINK, Entry, parent
from ..oci.stream_limits import Limits
from ..oci.tarreader import TarReader
from ..oci.tarwriter import BLOCK_SIZE
from ..oci.unexpected import found
from .base import Read
from .verified import decompressed, image_errors

MAX_DOCUMENT: Final = 16 << 20
"""The size in bytes that no config, manifest or index exceeds."""

_CHUNK: Final = 1 << 20
_MAX_LINKS: Final = 40
_SEE_WRITER: Final = "look at what the program has said that was to write it"
_LIMITS: Final = Limits(max_entries=200_000)


class Files(Protocol):
    """Files by name.  ``close`` them."""

    @property
    def origin(self) -> str:
        """What to call the place in messages."""

    def names(self) -> list[str]:
        """The names of what lies at the top, sorted."""

    def size(self, name: str) -> int | None:
        """A file's size in bytes; None where there is no such file."""

    def open(self, name: str) -> Read:
        """A reader of a file's bytes; several may be in use at once.  Raises ``ImageError`` for a missing file."""

    def close(self) -> None:
        """Free what is open; further calls do nothing."""


def document(files: Files, name: str) -> bytes:
    """The whole of a small file.  Raises ``ImageError`` if it is missing or larger than any document may be."""
    size = files.size(name)
    if size is None:
        raise missing(files, name)
    if size > MAX_DOCUMENT:
        raise ImageError(f"{files.origin} has a {name} of {size} bytes; the limit is {MAX_DOCUMENT}.")
    read = files.open(name)
    pieces = []
    while piece := read(_CHUNK):
        pieces.append(piece)
    return b"".join(pieces)


def inside(files: Files) -> str:
    """The place as it reads in the middle of a sentence: “the archive app.tar”."""
    return files.origin[0].lower() + files.origin[1:]


def missing(files: Files, name: str) -> ImageError:
    """The error for a file that should be there."""
    return ImageError(f"{files.origin} is incomplete: it has no file {name}.")


class TarFiles:
    """The regular files of a tar archive, compressed or not; links inside the archive are followed.

    ``scratch`` is the directory for an unnamed file that holds a compressed archive's contents, which must be readable
    at any position; ``origin`` is what to call the archive, where that is not its path.  Raises ``TransportError`` if
    the archive can't be read, ``ImageError`` if it is not a sound tar.
    """

    def __init__(self, path: str, *, scratch: str | None = None, origin: str = "") -> None:
        self.origin = origin or f"The archive {path}"
        self._file = _open_archive(path, scratch, self.origin)
        self._members: dict[str, tuple[int, int]] = {}
        self._links: dict[str, str] = {}
        try:
            self._check_beginning()
            with image_errors():
                self._index()
        except BaseException:
            self._file.close()
            raise

    def _check_beginning(self) -> None:
        """Tell what was never an archive, such as an error message in its place, from a damaged one."""
        head = self._file.read(BLOCK_SIZE)
        self._file.seek(0)
        if not head:
            raise ImageError(f"{self.origin} is empty.", hint=_SEE_WRITER)
        if b"\0" not in head:  # which every header ends with
            raise ImageError(f"{self.origin} is no archive {found(head)}.", hint=_SEE_WRITER)

    def _index(self) -> None:
        for entry in TarReader(self._file.read, origin=self.origin, limits=_LIMITS):
            self._members.pop(entry.path, None)
            self._links.pop(entry.path, None)
            if entry.kind == FILE and entry.offset != NO_OFFSET:
                self._members[entry.path] = (entry.offset, entry.size)
            elif entry.kind in (SYMLINK, HARDLINK):
                self._links[entry.path] = _target(entry)

    def names(self) -> list[str]:
        """The names of what lies at the top, sorted."""
        return sorted({path.partition("/")[0] for path in (*self._members, *self._links)})

    def size(self, name: str) -> int | None:
        """A file's size in bytes; None where there is no such file."""
        found = self._find(name)
        return found[1] if found else None

    def open(self, name: str) -> Read:
        """A reader of a file's bytes."""
        found = self._find(name)
        if found is None:
            raise missing(self, name)
        position, end = found[0], found[0] + found[1]
        descriptor = self._file.fileno()

        def read(length: int) -> bytes:
            nonlocal position
            chunk = os.pread(descriptor, min(length, end - position), position)
            position += len(chunk)
            return chunk

        return read

    def close(self) -> None:
        """Close the archive."""
        self._file.close()

    def _find(self, name: str) -> tuple[int, int] | None:
        for _ in range(_MAX_LINKS):
            name = _normalised(name)
            if name in self._members:
                return self._members[name]
            if name not in self._links:
                return None
            name = self._links[name]
        return None


class DirectoryFiles:
    """The regular files of a directory of this machine."""

    def __init__(self, path: str) -> None:
        self.origin = f"The directory {path}"
        self._path = path

    def names(self) -> list[str]:
        """The names of what lies at the top, sorted."""
        try:
            return sorted(os.listdir(self._path))
        except OSError as error:
            raise TransportError(f"{self.origin} can't be read: {error.strerror}.") from error

    def size(self, name: str) -> int | None:
        """A file's size in bytes; None where there is no such regular file."""
        try:
            status = os.stat(os.path.join(self._path, name))
        except FileNotFoundError:
            return None
        except OSError as error:
            raise self._unreadable(name, error) from error
        return status.st_size if stat.S_ISREG(status.st_mode) else None

    def open(self, name: str) -> Read:
        """A reader of a file's bytes; the file is closed at its end, or when the reader is forgotten."""
        if self.size(name) is None:
            raise missing(self, name)
        try:
            # Without waiting, in case the file has become a fifo meanwhile.
            descriptor = os.open(os.path.join(self._path, name), os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        except OSError as error:
            raise self._unreadable(name, error) from error
        file = os.fdopen(descriptor, "rb", buffering=0)

        def read(length: int) -> bytes:
            chunk = file.read(length) if not file.closed else b""
            if not chunk:
                file.close()
            return chunk

        return read

    def close(self) -> None:
        """Nothing stays open."""

    def _unreadable(self, name: str, error: OSError) -> TransportError:
        return TransportError(f"{self.origin}: the file {name} can't be read: {error.strerror}.")


def _open_archive(path: str, scratch: str | None, origin: str) -> IO[bytes]:
    try:
        with ExitStack() as stack:
            file = stack.enter_context(open(path, "rb"))
            kind = compression.detect(file.peek(6)[:6])
            if kind == "none" and file.seekable():
                stack.pop_all()
                return file
            return _spool(decompressed(file.read, kind, origin=origin), scratch, origin)
    except OSError as error:
        raise TransportError(f"{origin} can't be read: {error.strerror or error}.") from error


def _spool(read: Read, scratch: str | None, origin: str) -> IO[bytes]:
    import tempfile

    with ExitStack() as stack:
        spool = stack.enter_context(tempfile.TemporaryFile(dir=scratch))
        try:
            while chunk := read(_CHUNK):
                spool.write(chunk)
            spool.seek(0)
        except OSError as error:
            place = scratch or tempfile.gettempdir()
            raise TransportError(f"{origin} can't be spooled to {place}: {error.strerror}.") from error
        stack.pop_all()
        return spool


def _target(entry: Entry) -> str:
    """Where a link inside the archive leads, as a name of the archive."""
    if entry.kind == HARDLINK or entry.link.startswith("/"):
        return entry.link
    return f"{parent(entry.path)}/{entry.link}"


def _normalised(name: str) -> str:
    """A name relative to the archive's root; ``..`` above the root stays at the root."""
    return os.path.normpath(f"/{name}").lstrip("/")
