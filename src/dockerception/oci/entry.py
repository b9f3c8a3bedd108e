"""One entry of a layer or a context: everything about a file but its bytes."""

from __future__ import annotations

from typing import Final, Literal

import msgspec

Kind = Literal["file", "directory", "symlink", "hardlink", "char", "block", "fifo", "whiteout"]

FILE: Final = "file"
DIRECTORY: Final = "directory"
SYMLINK: Final = "symlink"
HARDLINK: Final = "hardlink"
CHAR: Final = "char"
BLOCK: Final = "block"
FIFO: Final = "fifo"
WHITEOUT: Final = "whiteout"

NO_OFFSET: Final = -1


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """A file system entry as data.

    ``path`` is relative to the root, ``/``-separated, ``""`` for the root itself; undecodable bytes are surrogates, as
    in ``os.fsdecode``.  ``mode`` is the twelve permission bits.  ``mtime`` is in whole seconds since the epoch.
    ``link`` is a symlink's target as written, or the path of the entry that a hard link names.  ``xattrs`` is sorted
    by name.  ``digest`` is the SHA-256 (32 bytes) of a file's contents, empty when not known.  ``offset`` is where the
    contents start in the file that holds them, ``NO_OFFSET`` when they are not contiguous there.  ``is_opaque`` marks
    a directory that hides what lower layers have in it (image-spec layer.md, "Opaque Whiteout").  A whiteout's
    ``path`` is that of what it removes.
    """

    path: str
    kind: Kind
    mode: int = 0o644
    uid: int = 0
    gid: int = 0
    size: int = 0
    mtime: int = 0
    link: str = ""
    xattrs: tuple[tuple[str, bytes], ...] = ()
    device: tuple[int, int] = (0, 0)
    digest: bytes = b""
    offset: int = NO_OFFSET
    is_opaque: bool = False


def is_same(entry: Entry, below: Entry) -> bool:
    """Whether an entry changes nothing where ``below`` already is (design: equal entries are left out of a layer).

    Compares type, mode, owner, extended attributes, link, device, size, whole-second mtime and contents.
    """
    return (
        entry.kind == below.kind
        and entry.mode == below.mode
        and entry.uid == below.uid
        and entry.gid == below.gid
        and entry.size == below.size
        and entry.mtime == below.mtime
        and entry.link == below.link
        and entry.device == below.device
        and entry.xattrs == below.xattrs
        and entry.digest == below.digest
        and not entry.is_opaque
    )


def parent(path: str) -> str:
    """The directory that holds ``path``; ``""`` for a top-level entry."""
    return path.rpartition("/")[0]


def name(path: str) -> str:
    """The last component of ``path``."""
    return path.rpartition("/")[2]


def join(directory: str, child: str) -> str:
    """``directory/child`` without a slash in front when the directory is the root."""
    return f"{directory}/{child}" if directory else child


def parents(path: str) -> list[str]:
    """Every directory above ``path``, outermost first, without the root."""
    found = []
    position = path.find("/")
    while position >= 0:
        found.append(path[:position])
        position = path.find("/", position + 1)
    return found
