"""One tar header block, read without trust: POSIX ustar, GNU and old V7, numbers in octal or base 256.

Raises ``StreamError`` for a block that no archiver writes; the caller adds where it stands.
"""

from __future__ import annotations

from typing import Final

import msgspec

from ..errors import StreamError
from .tarwriter import BLOCK_SIZE

ZERO_BLOCK: Final = bytes(BLOCK_SIZE)
_CHECKSUM = slice(148, 156)
_SPACES_SUM: Final = 8 * 0x20


class Header(msgspec.Struct, frozen=True):
    """The fields of a header block as they stand; names without their trailing NULs."""

    name: bytes
    mode: int
    uid: int
    gid: int
    size: int
    mtime: int
    typeflag: bytes
    link: bytes
    device: tuple[int, int]
    block: bytes


def has_valid_checksum(block: bytes) -> bool:
    """Whether the block's checksum field fits its bytes, summed unsigned or (old archivers) signed."""
    field = block[_CHECKSUM]
    try:
        stored = int(field.strip(b"\0 ") or b"0", 8)
    except ValueError:
        return False
    unsigned = sum(block) - sum(field) + _SPACES_SUM
    if stored == unsigned:
        return True
    high_bytes = sum(byte > 0x7F for byte in block) - sum(byte > 0x7F for byte in field)
    return stored == unsigned - 256 * high_bytes


def decode(block: bytes) -> Header:
    """Read a header block whose checksum has been found valid."""
    name = _text(block[0:100])
    if block[257:265] == b"ustar\x0000":
        # star keeps two times where POSIX has the end of the prefix, and signs the block.
        prefix = _text(block[345:476] if block[508:512] == b"tar\0" else block[345:500])
        if prefix:
            name = prefix + b"/" + name
    typeflag = block[156:157]
    return Header(
        name=name,
        mode=_number(block[100:108], "mode"),
        uid=_number(block[108:116], "uid"),
        gid=_number(block[116:124], "gid"),
        size=_number(block[124:136], "size"),
        mtime=_number(block[136:148], "mtime"),
        typeflag=typeflag,
        link=_text(block[157:257]),
        # Old archivers leave anything in these fields of what is no device.
        device=_device(block) if typeflag in (b"3", b"4") else (0, 0),
        block=block,
    )


def _text(field: bytes) -> bytes:
    end = field.find(b"\0")
    return field if end < 0 else field[:end]


def _device(block: bytes) -> tuple[int, int]:
    return _number(block[329:337], "devmajor"), _number(block[337:345], "devminor")


def _number(field: bytes, what: str) -> int:
    plain = field[:-1]
    if plain.isdigit() and field[-1] in b"\0 ":
        try:
            return int(plain, 8)
        except ValueError:
            pass
    if field[0] & 0x80:
        # GNU's base 256: a set top bit, then a two's complement big-endian number.
        value = int.from_bytes(field, "big") & ((1 << (8 * len(field) - 1)) - 1)
        return value - (1 << (8 * len(field) - 1)) if field[0] & 0x40 else value
    text = field.lstrip(b"\0 ").partition(b"\0")[0].rstrip()
    try:
        value = int(text or b"0", 8)
    except ValueError:
        value = -1
    if value < 0 or not (text or b"0").isdigit():
        raise StreamError(f"its field “{what}” is {text!r}, which is not an octal number")
    return value
