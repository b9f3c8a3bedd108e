"""Lists what a tree or an upper directory holds, as the entries of a layer (image-spec layer.md, Linux overlayfs.rst).

The walk is over the directory itself, never over the merged view, whose inode numbers would split hard links.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from typing import Final

import msgspec

from ..oci.entry import BLOCK, CHAR, DIRECTORY, FIFO, FILE, HARDLINK, SYMLINK, WHITEOUT, Entry, Kind, join, parent
from ..oci.tarwriter import OPAQUE_NAME, WHITEOUT_PREFIX
from ..oci.toc import TocBuilder
from . import marks
from .calls import DiffCall, DiffReply
from .digests import EMPTY, Digests

_OPEN_DIRECTORY: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_BILLION: Final = 1_000_000_000
_KINDS: Final[dict[int, Kind]] = {
    stat.S_IFREG: FILE, stat.S_IFDIR: DIRECTORY, stat.S_IFLNK: SYMLINK, stat.S_IFCHR: CHAR, stat.S_IFBLK: BLOCK,
    stat.S_IFIFO: FIFO,
}  # fmt: skip


def perform(call: DiffCall) -> DiffReply:
    """Do what ``Sandbox.diff`` promises."""
    os.chdir(call.tree)
    digests = Digests()
    walk = _Walk(digests)
    builder = TocBuilder()
    pending: list[Entry] = []
    for entry in walk.entries():
        if entry.kind == FILE and entry.size and not entry.digest:
            pending.append(entry)
        else:
            builder.add(entry)
    for entry, digest in zip(pending, digests.results(), strict=True):
        builder.add(_with_digest(entry, digest))
    return DiffReply(builder.build().encode(), tuple(os.fsencode(text) for text in walk.warnings))


class _Walk:
    """Depth first, by name, which is the canonical order; the current directory moves along.

    So names stay short at any depth, and calls that know no directory descriptor (those for attributes) work too.
    """

    def __init__(self, digests: Digests) -> None:
        self.warnings: list[str] = []
        self._digests = digests
        self._links: dict[tuple[int, int], str] = {}

    def entries(self) -> Iterator[Entry]:
        yield _entry("", ".", os.lstat("."), DIRECTORY)
        ancestors = [os.open(".", _OPEN_DIRECTORY)]
        waiting = [("", _listing())]
        while waiting:
            folder, names = waiting[-1]
            name = next(names, None)
            if name is None:
                waiting.pop()
                os.close(ancestors.pop())
                if ancestors:
                    os.fchdir(ancestors[-1])
                continue
            entry = self._look(join(folder, name), name)
            if entry is None:
                continue
            yield entry
            if entry.kind == DIRECTORY:
                ancestors.append(os.open(name, _OPEN_DIRECTORY))
                os.fchdir(ancestors[-1])
                waiting.append((entry.path, _listing()))

    def _look(self, path: str, name: str) -> Entry | None:
        """The entry of ``name`` in the current directory; None for what a layer can't hold."""
        status = os.lstat(name)
        hidden = marks.hidden_by(name, status)
        if hidden is not None:
            return Entry(path=join(parent(path), hidden), kind=WHITEOUT, mode=0, mtime=0) if hidden else None
        kind = _KINDS.get(stat.S_IFMT(status.st_mode))
        if kind is None:
            self.warnings.append(f"“/{path}” is a socket, which a layer can't hold; it is left out.")
            return None
        if name.startswith(WHITEOUT_PREFIX):
            self.warnings.append(f"“/{path}” has a name that layers use to mark removed files; it is left out.")
            return None
        if status.st_nlink > 1 and kind != DIRECTORY:
            first = self._links.setdefault((status.st_dev, status.st_ino), path)
            if first is not path:
                return _hard_link(path, first, status)
        entry = _entry(path, name, status, kind)
        if kind == FILE and status.st_size:
            digest = self._digests.add(name, status.st_size)
            return _with_digest(entry, digest) if digest else entry
        return entry


def _entry(path: str, name: str, status: os.stat_result, kind: Kind) -> Entry:
    attributes, is_opaque = _attributes(name)
    if kind == DIRECTORY and not is_opaque:
        is_opaque = marks.is_mark(f"{name}/{OPAQUE_NAME}")
    return Entry(
        path=path,
        kind=kind,
        mode=stat.S_IMODE(status.st_mode),
        uid=status.st_uid,
        gid=status.st_gid,
        size=status.st_size if kind == FILE else 0,
        mtime=status.st_mtime_ns // _BILLION,
        link=os.readlink(name) if kind == SYMLINK else "",
        xattrs=attributes,
        device=(os.major(status.st_rdev), os.minor(status.st_rdev)) if kind in (CHAR, BLOCK) else (0, 0),
        digest=b"" if kind != FILE or status.st_size else EMPTY,
        is_opaque=is_opaque and kind == DIRECTORY,
    )


def _attributes(name: str) -> tuple[tuple[tuple[str, bytes], ...], bool]:
    """Extended attributes by name, without overlay's own, and whether overlay calls the directory opaque."""
    names = os.listxattr(name, follow_symlinks=False)
    if not names:
        return (), False
    is_opaque = marks.OPAQUE in names and os.getxattr(name, marks.OPAQUE, follow_symlinks=False) == b"y"
    kept = sorted(each for each in names if not each.startswith(marks.OVERLAY_PREFIXES))
    return tuple((each, os.getxattr(name, each, follow_symlinks=False)) for each in kept), is_opaque


def _hard_link(path: str, first: str, status: os.stat_result) -> Entry:
    return Entry(
        path=path,
        kind=HARDLINK,
        mode=stat.S_IMODE(status.st_mode),
        uid=status.st_uid,
        gid=status.st_gid,
        mtime=status.st_mtime_ns // _BILLION,
        link=first,
    )


def _with_digest(entry: Entry, digest: bytes) -> Entry:
    return msgspec.structs.replace(entry, digest=digest)


def _listing() -> Iterator[str]:
    return iter(sorted(os.listdir("."), key=os.fsencode))
