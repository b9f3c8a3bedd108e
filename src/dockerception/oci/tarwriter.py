"""The one canonical writer of tar streams (image-spec layer.md; POSIX.1-2001 pax).

Entries come in canonical order, times are whole seconds, owner names are empty, and a pax header is written exactly
when ustar cannot say it: so equal tocs give equal bytes.  ``FORMAT_VERSION`` changes when that stops being true.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from typing import Final

import msgspec

from .entry import BLOCK, CHAR, DIRECTORY, FIFO, FILE, HARDLINK, NO_OFFSET, SYMLINK, WHITEOUT, Entry, join, name, parent
from .pax import quoted

FORMAT_VERSION: Final = 1
BLOCK_SIZE: Final = 512
WHITEOUT_PREFIX: Final = ".wh."
OPAQUE_NAME: Final = ".wh..wh..opq"
END_OF_ARCHIVE: Final = bytes(2 * BLOCK_SIZE)

_TYPEFLAGS: Final = {
    FILE: b"0", HARDLINK: b"1", SYMLINK: b"2", CHAR: b"3", BLOCK: b"4", DIRECTORY: b"5", FIFO: b"6", WHITEOUT: b"0",
}  # fmt: skip
_MAX_OCTAL_7: Final = 0o7777777
_MAX_OCTAL_11: Final = 0o77777777777
_MAX_NAME: Final = 100
_MAX_PREFIX: Final = 155
_USTAR_TAIL: Final = b"ustar\x0000" + bytes(64)

Contents = Callable[[Entry], Iterable[bytes | memoryview]]


def write(entries: Iterable[Entry], contents: Contents) -> Iterator[bytes | memoryview]:
    """The tar stream of these entries, as chunks.

    ``contents(entry)`` yields a regular file's bytes, exactly ``entry.size`` of them (checked by whoever reads the
    file: see ``engines.embedded.faces``).  An entry for the root (path ``""``) is written as ``./``.
    """
    for entry in entries:
        yield from write_entry(entry, contents)
    yield END_OF_ARCHIVE


def write_entry(entry: Entry, contents: Contents) -> Iterator[bytes | memoryview]:
    """One entry's part of the stream; the first chunk is its header, so contents begin where that ends."""
    yield header(entry)
    if entry.kind == FILE and entry.size:
        yield from contents(entry)
        padding = -entry.size % BLOCK_SIZE
        if padding:
            yield bytes(padding)
    if entry.is_opaque:
        yield _opaque_mark(entry)


def place(entries: Iterable[Entry]) -> Iterator[Entry]:
    """The same entries with the offsets that the contents of files have in what ``write`` makes of them."""
    position = 0
    for entry in entries:
        position += len(header(entry))
        is_file = entry.kind == FILE
        yield msgspec.structs.replace(entry, offset=position if is_file else NO_OFFSET)
        if is_file:
            position += entry.size + -entry.size % BLOCK_SIZE
        if entry.is_opaque:
            position += len(_opaque_mark(entry))


def header(entry: Entry) -> bytes:
    """The header blocks of one entry: a pax header where needed, then a ustar header."""
    path = _tar_path(entry)
    link = os.fsencode(entry.link)
    size = entry.size if entry.kind == FILE else 0
    records: list[tuple[bytes, bytes]] = []
    short_name, prefix = _split(path)
    if short_name is None:
        records.append((b"path", path))
        short_name, prefix = path[:_MAX_NAME], b""
    if len(link) > _MAX_NAME or not link.isascii():
        records.append((b"linkpath", link))
        link = link[:_MAX_NAME]
    uid, gid, mtime = entry.uid, entry.gid, entry.mtime
    if uid > _MAX_OCTAL_7:
        records.append((b"uid", b"%d" % uid))
        uid = 0
    if gid > _MAX_OCTAL_7:
        records.append((b"gid", b"%d" % gid))
        gid = 0
    if not 0 <= mtime <= _MAX_OCTAL_11:
        records.append((b"mtime", b"%d" % mtime))
        mtime = 0
    if size > _MAX_OCTAL_11:
        records.append((b"size", b"%d" % size))
        size = 0
    records += [(b"SCHILY.xattr." + quoted(os.fsencode(key)), value) for key, value in entry.xattrs]
    block = _block(short_name, prefix, entry.mode, uid, gid, size, mtime, _TYPEFLAGS[entry.kind], link, entry.device)
    return _pax(records) + block if records else block


def _opaque_mark(directory: Entry) -> bytes:
    return header(Entry(path=join(directory.path, OPAQUE_NAME), kind=FILE, mode=0, mtime=directory.mtime))


def _tar_path(entry: Entry) -> bytes:
    if entry.kind == WHITEOUT:
        return os.fsencode(join(parent(entry.path), WHITEOUT_PREFIX + name(entry.path)))
    path = os.fsencode(entry.path)
    if entry.kind == DIRECTORY:
        return path + b"/" if path else b"./"
    return path


def _split(path: bytes) -> tuple[bytes | None, bytes]:
    """The name and prefix fields of ustar, or no name when they can't hold the path."""
    if not path.isascii():
        return None, b""
    if len(path) <= _MAX_NAME:
        return path, b""
    # The rightmost separator that leaves a prefix of at most 155 bytes; the trailing one of a directory is no choice.
    cut = path.rfind(b"/", 0, min(_MAX_PREFIX + 1, len(path) - 1))
    if cut <= 0 or len(path) - cut - 1 > _MAX_NAME:
        return None, b""
    return path[cut + 1 :], path[:cut]


def _block(
    short_name: bytes,
    prefix: bytes,
    mode: int,
    uid: int,
    gid: int,
    size: int,
    mtime: int,
    typeflag: bytes,
    link: bytes,
    device: tuple[int, int],
) -> bytes:
    numbers = b"%07o\0%07o\0%07o\0%011o\0%011o\0" % (mode, uid, gid, size, mtime)
    devices = b"%07o\0%07o\0" % device
    head = short_name.ljust(_MAX_NAME, b"\0") + numbers
    tail = typeflag + link.ljust(_MAX_NAME, b"\0") + _USTAR_TAIL + devices + prefix.ljust(167, b"\0")
    checksum = sum(head) + sum(tail) + 8 * 0x20
    return b"%b%06o\0 %b" % (head, checksum, tail)


def _pax(records: list[tuple[bytes, bytes]]) -> bytes:
    body = b"".join(_record(key, value) for key, value in records)
    block = _block(b"PaxHeaders/entry", b"", 0o644, 0, 0, len(body), 0, b"x", b"", (0, 0))
    return block + body + bytes(-len(body) % BLOCK_SIZE)


def _record(key: bytes, value: bytes) -> bytes:
    # The length counts itself (pax, "pax Header Block"), so it may need one digit more than a first guess.
    rest = len(key) + len(value) + 3
    length = rest + len(str(rest))
    length = rest + len(str(length))
    return b"%d %b=%b\n" % (length, key, value)
