"""The list of a layer's (or a context's) entries: packed rows in canonical order, not objects.

A hundred thousand entry objects would be 100 MB; a row here is a sort key and a few dozen packed bytes, and an
``Entry`` exists only while somebody looks at it.  Canonical order is depth first: ``a``, ``a/b``, ``a-b``; so a
subtree is one contiguous range, and parents come before children.
"""

from __future__ import annotations

import os
import sys
from bisect import bisect_left
from collections.abc import Iterable, Iterator
from typing import Final

import msgspec

from ..errors import StoreError
from .documents import UNREADABLE
from .entry import DIRECTORY, Entry, Kind

_VERSION: Final = 1
_KINDS: Final[tuple[Kind, ...]] = ("file", "directory", "symlink", "hardlink", "char", "block", "fifo", "whiteout")
_NUMBERS: Final = {kind: number for number, kind in enumerate(_KINDS)}


class _Row(msgspec.Struct, array_like=True, omit_defaults=True):
    """What a packed row holds.  Trailing defaults cost nothing."""

    kind: int
    mode: int
    mtime: int
    uid: int = 0
    gid: int = 0
    size: int = 0
    digest: bytes = b""
    offset: int = -1
    link: bytes = b""
    xattrs: tuple[tuple[bytes, bytes], ...] = ()
    device: tuple[int, int] = (0, 0)
    is_opaque: bool = False


class _Packed(msgspec.Struct, array_like=True):
    version: int
    keys: list[bytes]
    rows: list[bytes]


# What os.fsencode does, without the calls around it: this runs several times for each entry.
_ENCODING: Final = sys.getfilesystemencoding()
_ERRORS: Final = sys.getfilesystemencodeerrors()
_encode = msgspec.msgpack.Encoder().encode
_decode_row = msgspec.msgpack.Decoder(_Row).decode


def sort_key(path: str) -> bytes:
    """What sorts paths into canonical order."""
    # A separator that sorts before every other byte makes byte order depth first.
    return path.encode(_ENCODING, _ERRORS).replace(b"/", b"\0")


def _path(key: bytes) -> str:
    return key.replace(b"\0", b"/").decode(_ENCODING, _ERRORS)


def _pack(entry: Entry) -> bytes:
    return _encode(
        _Row(
            _NUMBERS[entry.kind],
            entry.mode,
            entry.mtime,
            entry.uid,
            entry.gid,
            entry.size,
            entry.digest,
            entry.offset,
            os.fsencode(entry.link) if entry.link else b"",
            tuple((os.fsencode(name), value) for name, value in entry.xattrs) if entry.xattrs else (),
            entry.device,
            entry.is_opaque,
        )
    )


def _unpack(key: bytes, packed: bytes) -> Entry:
    row = _decode_row(packed)
    return Entry(
        path=_path(key),
        kind=_KINDS[row.kind],
        mode=row.mode,
        uid=row.uid,
        gid=row.gid,
        size=row.size,
        mtime=row.mtime,
        link=os.fsdecode(row.link) if row.link else "",
        xattrs=tuple((os.fsdecode(name), value) for name, value in row.xattrs) if row.xattrs else (),
        device=row.device,
        digest=row.digest,
        offset=row.offset,
        is_opaque=row.is_opaque,
    )


class Toc:
    """An immutable, sorted list of entries with distinct paths.  Iterating yields them in canonical order."""

    __slots__ = ("_keys", "_rows")

    def __init__(self, keys: list[bytes], rows: list[bytes]) -> None:
        self._keys = keys
        self._rows = rows

    @classmethod
    def of(cls, entries: Iterable[Entry]) -> Toc:
        """A toc of these entries, in any order.  Of entries with one path the last wins, as in a tar."""
        builder = TocBuilder()
        for entry in entries:
            builder.add(entry)
        return builder.build()

    def __len__(self) -> int:
        return len(self._keys)

    def __iter__(self) -> Iterator[Entry]:
        return map(_unpack, self._keys, self._rows)

    def __contains__(self, path: str) -> bool:
        return self.find(path) is not None

    def find(self, path: str) -> Entry | None:
        """The entry of exactly this path, links not followed."""
        key = sort_key(path)
        index = bisect_left(self._keys, key)
        if index < len(self._keys) and self._keys[index] == key:
            return _unpack(key, self._rows[index])
        return None

    def index(self, path: str) -> int | None:
        """The number of this path's entry in canonical order, for tables that go along with the toc."""
        key = sort_key(path)
        index = bisect_left(self._keys, key)
        return index if index < len(self._keys) and self._keys[index] == key else None

    def span(self, path: str) -> range:
        """The numbers of the entries that ``walk(path)`` yields, for tables that go along with the toc."""
        start, end = self._range(path)
        own = self.index(path) if path else None
        return range(start if own is None else own, end)

    def path_at(self, index: int) -> str:
        """The path of the entry with this number."""
        return _path(self._keys[index])

    def has_below(self, path: str) -> bool:
        """Whether any entry lies below ``path``, whether or not ``path`` itself is listed."""
        start, end = self._range(path)
        return start < end

    def walk(self, path: str = "") -> Iterator[Entry]:
        """The entry of ``path``, if listed, and all entries below it, in canonical order."""
        if path == "":
            yield from self
            return
        entry = self.find(path)
        if entry is not None:
            yield entry
        start, end = self._range(path)
        for index in range(start, end):
            yield _unpack(self._keys[index], self._rows[index])

    def children(self, path: str = "") -> Iterator[Entry]:
        """The entries directly inside ``path``, in canonical order."""
        return (entry for _, entry in self.members(path) if entry is not None)

    def members(self, path: str = "") -> Iterator[tuple[str, Entry | None]]:
        """The paths directly inside ``path`` and their entries, None for a directory that only paths below it imply."""
        index, end = self._range(path)
        skip = len(sort_key(path)) + 1 if path else 0
        while index < end:
            key, entry = self._keys[index], None
            separator = key.find(b"\0", skip)
            if separator >= 0:
                key = key[:separator]
            else:
                entry = _unpack(key, self._rows[index])
                index += 1
            if key:
                yield _path(key), entry
            if index < end and self._keys[index].startswith(key + b"\0"):
                index = bisect_left(self._keys, key + b"\1", index)

    def paths(self) -> Iterator[str]:
        """All paths in canonical order."""
        return map(_path, self._keys)

    def _range(self, path: str) -> tuple[int, int]:
        if path == "":
            return 0, len(self._keys)
        key = sort_key(path)
        return bisect_left(self._keys, key + b"\0"), bisect_left(self._keys, key + b"\1")

    def encode(self) -> bytes:
        """The toc as bytes for the store."""
        return _encode(_Packed(_VERSION, self._keys, self._rows))

    @classmethod
    def decode(cls, data: bytes) -> Toc:
        """Read what ``encode`` made; raises ``StoreError`` if it is damaged or of another version."""
        try:
            packed = msgspec.msgpack.decode(data, type=_Packed)
        except UNREADABLE as error:
            raise StoreError(
                f"A list of layer entries in the store is damaged: {error}.", hint="run: dockerception prune --all"
            ) from error
        if packed.version != _VERSION or len(packed.keys) != len(packed.rows):
            raise StoreError(
                "A list of layer entries in the store has an unknown version.", hint="run: dockerception prune --all"
            )
        return cls(packed.keys, packed.rows)

    @property
    def size(self) -> int:
        """The sum of the sizes of all regular files, in bytes."""
        return sum(_decode_row(row).size for row in self._rows)


class TocBuilder:
    """Collects entries, then makes the ``Toc``.  Memory is about 250 bytes an entry."""

    __slots__ = ("_rows",)

    def __init__(self) -> None:
        self._rows: dict[bytes, bytes] = {}

    def __len__(self) -> int:
        return len(self._rows)

    def add(self, entry: Entry) -> None:
        """Add an entry; an earlier one of the same path is replaced."""
        self._rows[sort_key(entry.path)] = _pack(entry)

    def find(self, path: str) -> Entry | None:
        """The entry added last for this path."""
        key = sort_key(path)
        row = self._rows.get(key)
        return None if row is None else _unpack(key, row)

    def remove(self, path: str) -> None:
        """Forget an entry and all below it."""
        key = sort_key(path)
        self._rows.pop(key, None)
        prefix = key + b"\0"
        for other in [other for other in self._rows if other.startswith(prefix)]:
            del self._rows[other]

    def build(self) -> Toc:
        """The sorted toc; the builder may be used on."""
        keys = sorted(self._rows)
        return Toc(keys, [self._rows[key] for key in keys])


def directory(path: str, *, mode: int = 0o755, uid: int = 0, gid: int = 0, mtime: int = 0) -> Entry:
    """A directory entry."""
    return Entry(path=path, kind=DIRECTORY, mode=mode, uid=uid, gid=gid, mtime=mtime)
