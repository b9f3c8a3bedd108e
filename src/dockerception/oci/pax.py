"""Extended header records of tar archives (POSIX.1-2001 pax) and GNU's sparse maps."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from typing import Final

from ..errors import StreamError

Sparse = tuple[tuple[int, int], ...]
"""The data regions of a sparse file: (offset in the file, length), ascending, in bytes."""

_MAX_REGIONS: Final = 1_000_000
_XATTR_PREFIX: Final = b"SCHILY.xattr."
_OVERLAY_XATTRS: Final = (b"user.overlay.", b"trusted.overlay.")
_NUMBER: Final = re.compile(rb"-?[0-9]{1,19}(\.[0-9]*)?")


def parse_records(body: bytes) -> dict[bytes, bytes]:
    """The records ``LENGTH KEY=VALUE\\n`` of an extended header; raises ``StreamError`` if malformed."""
    records: dict[bytes, bytes] = {}
    sparse: list[bytes] = []
    position = 0
    while position < len(body) and body[position] != 0:
        space = body.find(b" ", position, position + 20)
        length_text = body[position:space] if space > 0 else b""
        end = position + int(length_text) if length_text.isdigit() else 0
        equals = body.find(b"=", space, end)
        if not space + 1 < equals < end <= len(body) or body[end - 1] != 0x0A:
            raise StreamError("its extended header is malformed")
        key, value = body[space + 1 : equals], body[equals + 1 : end - 1]
        if key in (b"GNU.sparse.offset", b"GNU.sparse.numbytes"):
            sparse.append(value)  # format 0.0 repeats the two keys, which a mapping cannot say
        else:
            records[key] = value
        position = end
    if sparse:
        records[b"GNU.sparse.map"] = b",".join(sparse)
    return records


def number(records: Mapping[bytes, bytes], key: bytes, default: int) -> int:
    """A numeric record in whole units (fractions of a second are cut off, toward the past)."""
    if not records.get(key):
        return default  # an empty value takes back what a global header said
    text = records[key]
    if not _NUMBER.fullmatch(text):
        raise StreamError(f"its extended header has {key.decode(errors='replace')}={text[:40]!r}")
    whole, _, fraction = text.partition(b".")
    return int(whole) - (text.startswith(b"-") and fraction.strip(b"0") != b"")


def xattrs(records: Mapping[bytes, bytes]) -> tuple[tuple[str, bytes], ...]:
    """The extended attributes among the records, sorted by name.

    Raises ``StreamError`` for those of overlay file systems: they would act on whoever mounts the files, not describe
    them.
    """
    prefix = len(_XATTR_PREFIX)
    found = [(unquoted(key[prefix:]), value) for key, value in records.items() if key.startswith(_XATTR_PREFIX)]
    if any(not key or b"\0" in key for key, _ in found):
        raise StreamError("its extended header names an extended attribute without a name")
    for key, _ in found:
        if key.startswith(_OVERLAY_XATTRS):
            name = os.fsdecode(key)
            raise StreamError(f"it has the extended attribute {name}, which only an overlay file system may set")
    return tuple((os.fsdecode(key), value) for key, value in sorted(found))


def quoted(name: bytes) -> bytes:
    """The name of an extended attribute as GNU tar writes it: a key ends at its first ``=``."""
    return name.replace(b"%", b"%25").replace(b"=", b"%3D")


def unquoted(name: bytes) -> bytes:
    """The attribute's name again; any other ``%`` stands for itself."""
    return name.replace(b"%3D", b"=").replace(b"%25", b"%")


def is_sparse(records: Mapping[bytes, bytes]) -> bool:
    """Whether the records mark a sparse file of GNU's pax formats 0.0, 0.1 or 1.0."""
    return b"GNU.sparse.map" in records or b"GNU.sparse.major" in records


def sparse_from_records(records: Mapping[bytes, bytes]) -> Sparse:
    """The map of formats 0.0 and 0.1, which stands in the header itself."""
    return regions([_decimal(text) for text in records[b"GNU.sparse.map"].split(b",") if text])


def sparse_from_block(block: bytes, start: int, count: int) -> list[int]:
    """Offset and length pairs of old GNU sparse headers: ``count`` pairs of 12-byte numbers from ``start``."""
    numbers: list[int] = []
    for position in range(start, start + 24 * count, 12):
        field = block[position : position + 12]
        if not field.strip(b"\0 "):
            break
        numbers.append(octal_or_binary(field))
    return numbers


def check_count(regions: int) -> None:
    """Raise ``StreamError`` if a sparse map has more regions than anybody needs."""
    if regions > _MAX_REGIONS:
        raise StreamError(f"its sparse map has {regions} regions; the limit is {_MAX_REGIONS}")


def regions(numbers: list[int]) -> Sparse:
    """Pairs from a flat list; raises ``StreamError`` unless they ascend without overlap."""
    check_count(len(numbers) // 2)
    if len(numbers) % 2:
        raise StreamError("its sparse map is malformed")
    pairs = tuple(zip(numbers[::2], numbers[1::2], strict=True))
    end = 0
    for offset, length in pairs:
        if offset < end or length < 0:
            raise StreamError("its sparse map is out of order")
        end = offset + length
    return pairs


def octal_or_binary(field: bytes) -> int:
    """A number of an old GNU sparse header."""
    if field[0] & 0x80:
        return int.from_bytes(field[1:], "big")
    try:
        return int(field.strip(b"\0 "), 8)
    except ValueError:
        raise StreamError("its sparse map is malformed") from None


def _decimal(text: bytes) -> int:
    if not text.isdigit() or len(text) > 20:
        raise StreamError("its sparse map is malformed")
    return int(text)
