"""Archives for the tests, made by hand or by the standard library, and the reader's answer in a comparable form."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Callable

from dockerception.errors import StreamError
from dockerception.oci.entry import FILE, Entry
from dockerception.oci.stream_limits import Limits
from dockerception.oci.tarreader import TarReader

BLOCK = 512
END = bytes(2 * BLOCK)


def read_function(data: bytes, step: int = 1 << 20) -> Callable[[int], bytes]:
    """A ``read(n)`` over bytes that gives at most ``step`` of them at a time, as a pipe does."""
    stream = io.BytesIO(data)
    return lambda size: stream.read(min(size, step))


def entries(data: bytes, *, step: int = 1 << 20, limits: Limits | None = None) -> list[tuple[Entry, bytes]]:
    """All entries of an archive with their contents."""
    reader = TarReader(read_function(data, step), origin="The archive", limits=limits)
    return [(entry, b"".join(reader.contents()) if entry.kind == FILE else b"") for entry in reader]


def outcome(data: bytes) -> str:
    """``sound``, or the message of the reader's error."""
    try:
        entries(data)
    except StreamError as error:
        return str(error)
    return "sound"


def header(
    name: bytes = b"file",
    *,
    size: int = 0,
    mode: bytes = b"0000644\0",
    uid: bytes = b"0000000\0",
    gid: bytes = b"0000000\0",
    size_field: bytes | None = None,
    mtime: bytes = b"00000000000\0",
    typeflag: bytes = b"0",
    link: bytes = b"",
    magic: bytes = b"ustar\x0000",
    devices: bytes = b"0000000\x000000000\0",
    prefix: bytes = b"",
    signed: bool = False,
) -> bytes:
    """One header block with a right checksum; the fields are as given."""
    size_field = b"%011o\0" % size if size_field is None else size_field
    head = name.ljust(100, b"\0") + mode + uid + gid + size_field + mtime
    tail = typeflag + link.ljust(100, b"\0") + magic.ljust(8, b"\0") + bytes(64) + devices + prefix.ljust(167, b"\0")
    checksum = sum(head) + sum(tail) + 8 * 0x20
    if signed:
        checksum -= 256 * sum(byte > 0x7F for byte in head + tail)
    return head + b"%06o\0 " % checksum + tail


def member(name: bytes = b"file", contents: bytes = b"", **fields: bytes) -> bytes:
    """A header and its contents, padded."""
    return header(name, size=len(contents), **fields) + contents + bytes(-len(contents) % BLOCK)  # type: ignore[arg-type]


def pax(records: bytes, typeflag: bytes = b"x") -> bytes:
    """An extended header with these records."""
    return member(b"PaxHeaders/x", records, typeflag=typeflag)


def record(key: bytes, value: bytes) -> bytes:
    """One pax record."""
    rest = len(key) + len(value) + 3
    length = rest + len(str(rest))
    length = rest + len(str(length))
    return b"%d %b=%b\n" % (length, key, value)


def made_by_tarfile(members: list[tuple[tarfile.TarInfo, bytes]], tar_format: int) -> bytes:
    """An archive written by the standard library."""
    buffer = io.BytesIO()
    with tarfile.open(
        fileobj=buffer, mode="w", format=tar_format, encoding="utf-8", errors="surrogateescape"
    ) as archive:
        for info, contents in members:
            info.size = len(contents)
            archive.addfile(info, io.BytesIO(contents))
    return buffer.getvalue()
