"""Compressed streams, recognised by their first bytes: gzip, bzip2, xz, zstd (skippable frames too).

``isal`` reads gzip four times faster than the standard library; ``zlib-ng`` makes the smaller files.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final, Literal

from ..errors import StreamError
from .chunks import Read, reader_of
from .unexpected import UnexpectedBytesError, found

Compression = Literal["none", "gzip", "bzip2", "xz", "zstd"]

_MAGICS: Final[tuple[tuple[bytes, Compression], ...]] = (
    (b"\x1f\x8b\x08", "gzip"),
    (b"BZh", "bzip2"),
    (b"\xfd7zXZ\x00", "xz"),
    (b"\x28\xb5\x2f\xfd", "zstd"),
)
_SKIPPABLE_ZSTD: Final = b"\x2a\x4d\x18"
_CHUNK: Final = 1 << 20
_MAX_XZ_MEMORY: Final = 256 << 20

STOPPED_EARLY: Final = "whatever wrote it stopped early; look for its error message, or for a full disk on its side"
"""The hint for a truncated stream."""

MAGIC_SIZE: Final = 6
"""How many bytes ``detect`` needs."""


def detect(head: bytes) -> Compression:
    """What the stream that begins with these bytes (``MAGIC_SIZE`` suffice) is compressed with."""
    for magic, compression in _MAGICS:
        if head.startswith(magic):
            return compression
    if len(head) >= 4 and head[1:4] == _SKIPPABLE_ZSTD and 0x50 <= head[0] <= 0x5F:
        return "zstd"
    return "none"


def reader(read: Read, compression: Compression, *, origin: str) -> Read:
    """A ``read(n)`` of the decompressed stream.  Several members one after another are one stream.

    Raises ``StreamError`` when the compressed data is damaged or truncated.
    """
    if compression == "none":
        return read
    return reader_of(_decompress(read, compression, origin))


def _decompress(read: Read, compression: Compression, origin: str) -> Iterator[bytes]:
    decoder: Any = None
    data = b""
    while True:
        data = data or read(_CHUNK)
        if not data:
            if decoder is not None:
                raise StreamError(f"{origin} is truncated: its {compression} data ends early.", hint=STOPPED_EARLY)
            return
        if decoder is None:
            if not data.strip(b"\0"):
                data = b""  # archivers pad after the last member
                continue
            data = _begin_member(data, read, compression, origin)
            decoder = _decoder(compression)
        try:
            # At most one chunk at a time: a small input may stand for gigabytes.
            output = decoder.decompress(data, _CHUNK)
            data = b""
            while output or not (decoder.eof or decoder.needs_input):
                yield output
                output = b"" if decoder.eof or decoder.needs_input else decoder.decompress(b"", _CHUNK)
        except Exception as error:  # each library raises its own class
            if isinstance(error, (StreamError, MemoryError, OSError)) and not _is_data_error(error):
                raise
            raise StreamError(
                f"{origin} is damaged: its {compression} data can't be decompressed ({error})."
            ) from error
        if decoder.eof:
            data = decoder.unused_data
            decoder = None


def _begin_member(data: bytes, read: Read, compression: Compression, origin: str) -> bytes:
    """The data at the begin of a member, with its magic complete; raises if it is none of this compression."""
    while len(data) < MAGIC_SIZE and (more := read(_CHUNK)):
        data += more
    if detect(data) != compression:
        raise UnexpectedBytesError(f"{origin} has more bytes after the end of its {compression} data {found(data)}.")
    return data


def _is_data_error(error: BaseException) -> bool:
    return isinstance(error, OSError) and error.errno is None


def _decoder(compression: Compression) -> Any:
    """A decompressor object: ``decompress(data, max_length)``, ``eof``, ``needs_input``, ``unused_data``."""
    if compression == "gzip":
        from isal import igzip_lib

        return igzip_lib.IgzipDecompressor(flag=igzip_lib.DECOMP_GZIP)
    if compression == "bzip2":
        import bz2

        return bz2.BZ2Decompressor()
    if compression == "xz":
        import lzma

        return lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=_MAX_XZ_MEMORY)
    return _zstd().ZstdDecompressor()


def _zstd() -> Any:
    import sys

    if sys.version_info >= (3, 14):
        from compression import zstd

        return zstd
    from backports import zstd as backported

    return backported


def compressor(compression: Literal["gzip", "zstd"], level: int | None = None) -> Any:
    """An object with ``compress(data)`` and ``flush()`` whose output depends on the input and this library only."""
    if compression == "gzip":
        from zlib_ng import zlib_ng

        return zlib_ng.compressobj(6 if level is None else level, wbits=31)
    return _zstd().ZstdCompressor(level=level if level is not None else 3)
