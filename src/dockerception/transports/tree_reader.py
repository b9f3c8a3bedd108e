"""A directory of this machine as the root file system of an image: its entries, and their bytes.

No link is followed.  Sockets are left out, as no archive can hold them.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterator
from typing import Final

import msgspec

from ..errors import ImageError, TransportError
from ..oci.entry import BLOCK, CHAR, DIRECTORY, FIFO, FILE, HARDLINK, SYMLINK, Entry, Kind, join
from ..oci.toc import Toc, TocBuilder

_CHUNK: Final = 1 << 20
_KINDS: Final[dict[int, Kind]] = {
    stat.S_IFREG: FILE, stat.S_IFDIR: DIRECTORY, stat.S_IFLNK: SYMLINK, stat.S_IFCHR: CHAR, stat.S_IFBLK: BLOCK,
    stat.S_IFIFO: FIFO,
}  # fmt: skip
_OVERLAY_XATTRS: Final = ("trusted.overlay.", "user.overlay.")
_HOST_XATTRS: Final = ("system.", "security.selinux", "security.ima", "security.evm")


class TreeReader:
    """The tree below ``root``.  A file that changes while it is read raises ``TransportError``.

    Owners are kept, but the caller's own uid and gid become 0 unless the caller is root: who unpacks a root file
    system as a user owns its files only because there was no other way.
    """

    def __init__(self, root: str) -> None:
        self._root = root

    def toc(self) -> Toc:
        """All entries with the digests of their contents; every file is read once for it."""
        builder = TocBuilder()
        first: dict[tuple[int, int], str] = {}
        for path, status in self._walk():
            entry = self._entry(path, status)
            if entry is None:
                continue
            if entry.kind == FILE and status.st_nlink > 1:
                known = first.setdefault((status.st_dev, status.st_ino), path)
                if known != path:
                    builder.add(msgspec.structs.replace(entry, kind=HARDLINK, size=0, link=known))
                    continue
            if entry.kind == FILE:
                entry = msgspec.structs.replace(entry, digest=self._digest(entry))
            builder.add(entry)
        return builder.build()

    def contents(self, entry: Entry) -> Iterator[bytes]:
        """The bytes of a regular file, exactly as many as the entry says."""
        count = 0
        try:
            descriptor = os.open(self._on_disk(entry.path), os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
            with os.fdopen(descriptor, "rb", buffering=0) as file:
                while chunk := file.read(_CHUNK):
                    count += len(chunk)
                    if count > entry.size:
                        break
                    yield chunk
        except OSError as error:
            raise self._unreadable(entry.path, error) from error
        if count != entry.size:
            raise TransportError(f"The file {self._on_disk(entry.path)} changed while it was read.")

    def _digest(self, entry: Entry) -> bytes:
        hasher = hashlib.sha256()
        for chunk in self.contents(entry):
            hasher.update(chunk)
        return hasher.digest()

    def _walk(self) -> Iterator[tuple[str, os.stat_result]]:
        """Paths and their stat results, each directory's names in byte order, so hard links are named alike always."""
        pending = [""]
        while pending:
            path = pending.pop()
            try:
                status = os.lstat(self._on_disk(path))
                yield path, status
                if stat.S_ISDIR(status.st_mode):
                    names = sorted(os.listdir(self._on_disk(path)), key=os.fsencode, reverse=True)
                    pending += [join(path, name) for name in names]
            except OSError as error:
                raise self._unreadable(path, error) from error

    def _entry(self, path: str, status: os.stat_result) -> Entry | None:
        kind = _KINDS.get(stat.S_IFMT(status.st_mode))
        if kind is None:
            return None
        is_device = kind in (CHAR, BLOCK)
        return Entry(
            path=path,
            kind=kind,
            mode=stat.S_IMODE(status.st_mode),
            uid=_mapped(status.st_uid, os.geteuid()),
            gid=_mapped(status.st_gid, os.getegid()),
            size=status.st_size if kind == FILE else 0,
            mtime=int(status.st_mtime_ns // 1_000_000_000),
            link=os.readlink(self._on_disk(path)) if kind == SYMLINK else "",
            xattrs=self._xattrs(path),
            device=(os.major(status.st_rdev), os.minor(status.st_rdev)) if is_device else (0, 0),
        )

    def _xattrs(self, path: str) -> tuple[tuple[str, bytes], ...]:
        full = self._on_disk(path)
        try:
            names = os.listxattr(full, follow_symlinks=False)
        except OSError:
            return ()  # a file system without them
        for name in names:
            if name.startswith(_OVERLAY_XATTRS):
                raise ImageError(
                    f"The file {full} has the attribute {name}: it belongs to an overlay, not to a root file system.",
                    hint="name the directory where the overlay is mounted",
                )
        kept = sorted(name for name in names if not name.startswith(_HOST_XATTRS))
        return tuple((name, os.getxattr(full, name, follow_symlinks=False)) for name in kept)

    def _on_disk(self, path: str) -> str:
        return os.path.join(self._root, path) if path else self._root

    def _unreadable(self, path: str, error: OSError) -> TransportError:
        return TransportError(f"{self._on_disk(path)} can't be read: {error.strerror}.")


def _mapped(owner: int, own: int) -> int:
    return 0 if owner == own and os.geteuid() != 0 else owner
