"""A streaming tar reader for hostile bytes: POSIX ustar and pax, GNU and V7, one pass, flat memory.

Every header's checksum is verified, names are made relative and may not leave the root, sizes and counts are limited,
and the archive must end as POSIX says: with two zero blocks and nothing but NULs after them.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import Final

from ..errors import StreamError
from . import pax, tarheader
from .compression import STOPPED_EARLY
from .entry import BLOCK, CHAR, DIRECTORY, FIFO, FILE, HARDLINK, NO_OFFSET, SYMLINK, Entry, Kind
from .stream_limits import Limits
from .tarwriter import BLOCK_SIZE
from .unexpected import UnexpectedBytesError, found

CHUNK_SIZE: Final = 1 << 20
ZEROS: Final = memoryview(bytes(CHUNK_SIZE))
"""What the holes of sparse files are read as; writers may compare by identity and seek instead."""

_MAX_EXTENDED: Final = 1 << 20
_MAX_SIZE: Final = 1 << 62
_MAX_DEVICE: Final = 0o7777777  # what a ustar header holds; Linux has fewer
_KINDS: Final[dict[bytes, Kind]] = {
    b"0": FILE, b"\0": FILE, b"7": FILE, b"S": FILE, b"1": HARDLINK, b"2": SYMLINK, b"3": CHAR, b"4": BLOCK,
    b"5": DIRECTORY, b"6": FIFO,
}  # fmt: skip
_EXTENSIONS: Final = (b"x", b"X", b"g", b"L", b"K", b"V")


class TarReader:
    """Iterate over it for the entries; between two entries ``contents()`` yields the bytes of the current file.

    ``read(n)`` returns at most ``n`` bytes, none at the end.  ``origin`` begins the messages: “The context on standard
    input”.  Contents that are not asked for are skipped.  Entries carry the offset of their contents in the
    (uncompressed) stream; for sparse files it is ``NO_OFFSET``.  ``may_lack_end`` accepts archives without their zero
    blocks: layers of some tools end so, and their size is known otherwise.  ``checks_padding`` refuses members that are
    filled up with anything but NULs: a log line among the contents of the last file shows nowhere else.  All errors are
    ``StreamError``.
    """

    def __init__(
        self,
        read: Callable[[int], bytes],
        *,
        origin: str,
        limits: Limits | None = None,
        may_lack_end: bool = False,
        checks_padding: bool = False,
    ) -> None:
        self._read = read
        self._checks_padding = checks_padding
        self._may_lack_end = may_lack_end
        self._origin = origin
        self._limits = limits or Limits()
        self._buffer = memoryview(b"")
        self._position = 0
        self._header_at = 0
        self._stored = 0
        self._padding = 0
        self._sparse: pax.Sparse | None = None
        self._size = 0
        self._total = 0
        self._metadata = 0
        self._globals: dict[bytes, bytes] = {}

    @property
    def position(self) -> int:
        """How many bytes of the stream have been used, in bytes."""
        return self._position

    def __iter__(self) -> Iterator[Entry]:
        count = 0
        while True:
            self._skip(self._stored)
            self._skip_padding()
            self._stored = self._padding = 0
            entry = self._next()
            if entry is None:
                self._finish()
                return
            count += 1
            if 0 < self._limits.max_entries < count:
                hint = f"raise the limit with {self._limits.entries_option}" if self._limits.entries_option else ""
                raise StreamError(f"{self._origin} has more than {self._limits.max_entries} entries.", hint=hint)
            yield entry

    def contents(self) -> Iterator[memoryview]:
        """The bytes of the entry yielded last, holes filled in.  Chunks are valid until the next one is asked for."""
        if self._sparse is None:
            yield from self._take_stored(self._stored)
            return
        written = 0
        for offset, length in self._sparse:
            yield from _zeros(offset - written)
            yield from self._take_stored(length)
            written = offset + length
        yield from _zeros(self._size - written)

    def _take_stored(self, length: int) -> Iterator[memoryview]:
        for chunk in self._stream(length):
            self._stored -= len(chunk)
            yield chunk

    def _skip_padding(self) -> None:
        if self._may_lack_end and self._padding and self._is_at_end():
            return  # what is left out at the end of an archive may begin with its last padding
        if not self._checks_padding:
            self._skip(self._padding)
        elif self._padding:
            self._header_at = self._position
            padding = self._exactly(self._padding)
            if padding.strip(b"\0"):
                raise self._unexpected(f"a file's contents do not end where its header says {found(padding)}")

    def _next(self) -> Entry | None:
        """Read headers up to and including that of the next real entry; None at the end of the archive."""
        records = dict(self._globals)
        long_name = long_link = None
        extended = 0
        if self._may_lack_end and self._is_at_end():
            return None
        while True:
            self._header_at = self._position
            block = self._exactly(BLOCK_SIZE)
            if block == tarheader.ZERO_BLOCK:
                return None
            if not tarheader.has_valid_checksum(block):
                raise self._unexpected(f"there is no tar header {found(block)}")
            try:
                header = tarheader.decode(block)
                if header.typeflag in _EXTENSIONS:
                    extended += header.size
                    body = self._extended(header.size, extended)
                match header.typeflag:
                    case b"x" | b"X":
                        records |= pax.parse_records(body)
                    case b"g":
                        self._globals |= pax.parse_records(body)
                        records = self._globals | records
                        self._count_metadata(header.size)
                    case b"L":
                        long_name = body.split(b"\0")[0]
                    case b"K":
                        long_link = body.split(b"\0")[0]
                    case b"V":
                        pass  # a volume label names nothing
                    case _:
                        return self._entry(header, records, long_name, long_link)
            except StreamError as error:
                if error.message.startswith(self._origin):
                    raise
                raise self._error(error.message) from error

    def _entry(
        self, header: tarheader.Header, records: dict[bytes, bytes], long_name: bytes | None, long_link: bytes | None
    ) -> Entry:
        raw_name = records.get(b"GNU.sparse.name") or records.get(b"path") or long_name or header.name
        kind = _KINDS.get(header.typeflag)
        if kind is None:
            raise StreamError(f"its type is {_show(header.typeflag)}, which is not a file type known to containers")
        if kind == FILE and raw_name.endswith(b"/"):
            kind = DIRECTORY  # how V7 archives mark one
        path = self._clean(raw_name)
        link = ""
        if kind in (SYMLINK, HARDLINK):
            raw_link = records.get(b"linkpath") or long_link or header.link
            link = self._clean(raw_link) if kind == HARDLINK else self._check_name(raw_link)
            if not link:
                raise StreamError("it is a link to nothing")
        if path == "" and kind != DIRECTORY:
            raise StreamError(f"it is a {kind} without a name")
        size = self._measure(header, records, kind)
        xattrs = pax.xattrs(records)
        self._count_metadata(len(path) + len(link) + sum(len(key) + len(value) for key, value in xattrs))
        return Entry(
            path=path,
            kind=kind,
            mode=header.mode & 0o7777,
            uid=_in_range(pax.number(records, b"uid", header.uid), "uid"),
            gid=_in_range(pax.number(records, b"gid", header.gid), "gid"),
            size=size,
            mtime=_in_range(pax.number(records, b"mtime", header.mtime), "mtime", -_MAX_SIZE, _MAX_SIZE),
            link=link,
            xattrs=xattrs,
            device=(
                _in_range(header.device[0], "devmajor", 0, _MAX_DEVICE),
                _in_range(header.device[1], "devminor", 0, _MAX_DEVICE),
            ),
            offset=self._position if kind == FILE and self._sparse is None else NO_OFFSET,
        )

    def _measure(self, header: tarheader.Header, records: dict[bytes, bytes], kind: Kind) -> int:
        """Set what is stored and what it stands for; returns the size of the file's contents."""
        self._sparse = None
        stored = pax.number(records, b"size", header.size)
        if kind != FILE:
            # Some archivers repeat a hard link's size without storing bytes; other kinds have no contents at all.
            self._stored = self._padding = self._size = 0
            return 0
        _in_range(stored, "size", 0, _MAX_SIZE)
        self._stored, self._padding = stored, -stored % BLOCK_SIZE
        self._size = stored
        if header.typeflag == b"S":
            self._sparse = self._old_sparse(header)
        elif pax.is_sparse(records):
            self._sparse = self._pax_sparse(header, records)
        if self._sparse is not None:
            self._check_sparse()
        self._total += self._size
        if self._limits.max_bytes and self._total > self._limits.max_bytes:
            hint = f"raise the limit with {self._limits.bytes_option}" if self._limits.bytes_option else ""
            raise StreamError(f"{self._origin} holds more than {self._limits.max_bytes} bytes of files.", hint=hint)
        return self._size

    def _old_sparse(self, header: tarheader.Header) -> pax.Sparse:
        numbers = pax.sparse_from_block(header.block, 386, 4)
        is_extended = header.block[482] != 0
        while is_extended:
            block = self._exactly(BLOCK_SIZE)
            numbers += pax.sparse_from_block(block, 0, 21)
            is_extended = block[504] != 0
            pax.check_count(len(numbers) // 2)
        self._size = pax.octal_or_binary(header.block[483:495])
        return pax.regions(numbers)

    def _pax_sparse(self, header: tarheader.Header, records: dict[bytes, bytes]) -> pax.Sparse:
        real_size = b"GNU.sparse.realsize" if b"GNU.sparse.realsize" in records else b"GNU.sparse.size"
        self._size = pax.number(records, real_size, -1)
        if b"GNU.sparse.map" in records:
            return pax.sparse_from_records(records)
        # Format 1.0: the map is text in front of the contents, padded to whole blocks.
        before = self._position
        numbers: list[int] = []
        expected = 1
        text = b""
        while len(numbers) < expected:
            if self._position - before >= self._stored:
                raise StreamError("its sparse map is longer than its contents")
            text += self._exactly(BLOCK_SIZE)
            *lines, text = text.split(b"\n")
            if not all(line.isdigit() and len(line) <= 20 for line in lines) or len(text) > BLOCK_SIZE + 20:
                raise StreamError("its sparse map is malformed")
            numbers += [int(line) for line in lines]
            if numbers:
                pax.check_count(numbers[0])
                expected = 1 + 2 * numbers[0]
        self._stored -= self._position - before
        return pax.regions(numbers[1:expected])

    def _check_sparse(self) -> None:
        regions = self._sparse or ()
        end = max((offset + length for offset, length in regions), default=0)
        if not 0 <= end <= self._size <= _MAX_SIZE or sum(length for _, length in regions) != self._stored:
            raise StreamError("its sparse map does not fit its size")

    def _finish(self) -> None:
        """Check what follows the first zero block: another one, then NULs only, to the end of the stream."""
        if self._may_lack_end and self._is_at_end():
            return
        second = self._exactly(BLOCK_SIZE, "after the first of two zero blocks")
        if second != tarheader.ZERO_BLOCK:
            raise self._unexpected(f"one zero block is followed by something else than a second {found(second)}")
        end = self._position
        while not self._is_at_end():
            rest = bytes(self._buffer)
            if rest.strip(b"\0"):
                raise self._trailing(rest)
            self._use(len(rest))
            if self._limits.max_bytes and self._position - end > self._limits.max_bytes:
                # Padding may be of any length, but /dev/zero has no end.
                hint = f"raise the limit with {self._limits.bytes_option}" if self._limits.bytes_option else ""
                raise StreamError(f"{self._origin} goes on with more than {self._limits.max_bytes} NULs.", hint=hint)

    def _trailing(self, rest: bytes) -> UnexpectedBytesError:
        """The error for bytes after the end; a pipe may give the line that they are in piecemeal."""
        data = rest.lstrip(b"\0")
        self._header_at = self._position + len(rest) - len(data)
        while len(data) < BLOCK_SIZE and b"\n" not in data and (more := self._read(BLOCK_SIZE)):
            data += more
        return self._unexpected(f"there are more bytes after the end of the archive {found(data)}")

    def _clean(self, raw: bytes) -> str:
        """A name made relative to the root, without ``.`` and ``..``."""
        parts: list[str] = []
        for part in self._check_name(raw).split("/"):
            if part == "..":
                if not parts:
                    raise StreamError(f"its name {_show(raw)} leads out of the archive")
                parts.pop()
            elif part not in ("", "."):
                parts.append(part)
        return "/".join(parts)

    def _check_name(self, raw: bytes) -> str:
        if len(raw) > self._limits.max_path:
            raise StreamError(
                f"a name of {len(raw)} bytes begins {_show(raw[:60])}; the limit is {self._limits.max_path}"
            )
        if b"\0" in raw:
            raise StreamError(f"its name {_show(raw[:60])} has a NUL byte")
        return os.fsdecode(raw)

    def _count_metadata(self, size: int) -> None:
        self._metadata += size
        if self._metadata > self._limits.max_metadata:
            raise StreamError(
                f"{self._origin} has more than {self._limits.max_metadata} bytes of names, links and attributes."
            )

    def _extended(self, size: int, total: int) -> bytes:
        """The body of an extended header; ``total`` is the size of all of them before one entry."""
        if size < 0 or total > _MAX_EXTENDED:
            raise StreamError(f"an extended header of {size} bytes; the limit for one entry is {_MAX_EXTENDED}")
        body = self._exactly(size)
        self._skip(-size % BLOCK_SIZE)
        return body

    def _exactly(self, length: int, where: str = "") -> bytes:
        if len(self._buffer) >= length:
            piece = bytes(self._buffer[:length])
            self._use(length)
            return piece
        return b"".join(self._stream(length, where))

    def _skip(self, length: int) -> None:
        for _ in self._stream(length):
            pass

    def _stream(self, length: int, where: str = "") -> Iterator[memoryview]:
        while length:
            if not self._buffer:
                self._fill()
                if not self._buffer:
                    raise self._truncated(where)
            piece = self._buffer[:length]
            length -= len(piece)
            self._use(len(piece))
            yield piece

    def _fill(self) -> None:
        if not self._buffer:
            self._buffer = memoryview(self._read(CHUNK_SIZE))

    def _is_at_end(self) -> bool:
        self._fill()
        return not self._buffer

    def _use(self, length: int) -> None:
        self._buffer = self._buffer[length:]
        self._position += length

    def _truncated(self, where: str) -> StreamError:
        place = where or "before its two closing zero blocks"
        return StreamError(
            f"{self._origin} is truncated: it ends at byte {self._position}, {place}.",
            hint=STOPPED_EARLY,
        )

    def _error(self, reason: str) -> StreamError:
        return StreamError(self._unsound(reason))

    def _unexpected(self, reason: str) -> UnexpectedBytesError:
        return UnexpectedBytesError(self._unsound(reason))

    def _unsound(self, reason: str) -> str:
        return f"{self._origin} is not a sound tar archive: at byte {self._header_at}, {reason}."


def _zeros(length: int) -> Iterator[memoryview]:
    while length > 0:
        piece = ZEROS if length >= CHUNK_SIZE else ZEROS[:length]
        length -= len(piece)
        yield piece


def _in_range(value: int, what: str, low: int = 0, high: int = (1 << 32) - 1) -> int:
    if not low <= value <= high:
        raise StreamError(f"its {what} is {value}")
    return value


def _show(raw: bytes) -> str:
    return "“" + raw.decode(errors="replace").encode("unicode_escape").decode() + "”"
