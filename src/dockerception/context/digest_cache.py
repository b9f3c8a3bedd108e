"""Digests of files that have not changed since they were last read, kept from build to build.

A digest is filed under the file's *stat signature*: device, inode, size, and the times of the last change of contents
and of the inode, in nanoseconds.  The kernel sets the latter, so nobody can put it back.  What stays possible is a
change within one tick of the clock that stamps files: a digest is therefore only kept when the file had been quiet
for a while before it was read.
"""

from __future__ import annotations

import hashlib
import os
import struct
from collections.abc import Callable, Iterable
from typing import Final, Protocol

SIGNATURE_SIZE: Final = 40
DIGEST_SIZE: Final = 32
SETTLING_NS: Final = 2_000_000_000
"""The coarsest clock that stamps files in practice (FAT's two seconds)."""

_HEADER: Final = b"dockerception file digests, format 1\n"
_MAX_AGE: Final = 20
_ROW_SIZE: Final = SIGNATURE_SIZE + DIGEST_SIZE + 1
_pack: Final[Callable[..., bytes]] = struct.Struct("<QQQqq").pack


class DigestCache(Protocol):
    """Where digests are kept between builds.  The store implements it; losing the data costs time only."""

    def load(self, root: str) -> bytes:
        """What was saved last for this directory, or nothing."""

    def save(self, root: str, data: bytes) -> None:
        """Keep the data for this directory; of two savers at once, either may win."""


class NoCache:
    """A cache that keeps nothing."""

    def load(self, root: str) -> bytes:
        return b""

    def save(self, root: str, data: bytes) -> None:
        pass


def signature(status: os.stat_result) -> bytes:
    """A file's stat signature; equal signatures mean equal contents."""
    return _pack(status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)


def is_settled(status_signature: bytes, at_ns: int) -> bool:
    """Whether a file with this signature had been quiet for long enough when the clock showed ``at_ns``."""
    _, _, _, mtime_ns, ctime_ns = struct.unpack("<QQQqq", status_signature)
    return bool(max(mtime_ns, ctime_ns) + SETTLING_NS < at_ns)


class KnownDigests:
    """The digests of one directory: what was loaded, and what was added.  Not thread safe but for ``find``."""

    def __init__(self, data: bytes = b"") -> None:
        self._rows: dict[bytes, bytes] = {}
        self._added: dict[bytes, bytes] = {}
        rows = data[len(_HEADER) + DIGEST_SIZE :]
        # A digest that is wrong by one bit would poison builds; a crash may leave any bytes behind.
        if data == _framed(rows) and len(rows) % _ROW_SIZE == 0:
            starts = range(0, len(rows), _ROW_SIZE)
            self._rows = {rows[at : at + SIGNATURE_SIZE]: rows[at + SIGNATURE_SIZE : at + _ROW_SIZE] for at in starts}

    @property
    def has_news(self) -> bool:
        """Whether anything was added since it was loaded or encoded."""
        return bool(self._added)

    def find(self, status_signature: bytes) -> bytes | None:
        """The digest (32 bytes) of the contents that a file of this signature has, if known."""
        row = self._rows.get(status_signature)
        return None if row is None else row[:DIGEST_SIZE]

    def add(self, status_signature: bytes, digest: bytes) -> None:
        """Remember a digest.  Only for files that were settled when they were read."""
        self._added[status_signature] = digest

    def encode(self, present: Iterable[bytes]) -> bytes:
        """The data to save.  ``present`` are the signatures of the files that the directory has now.

        What is not among them ages, and is dropped after a number of saves: it may belong to a part of the directory
        that another build's ignore file shows.
        """
        current = set(present)
        rows = {key: row if key in current else _older(row) for key, row in self._rows.items()}
        self._rows = {key: row for key, row in rows.items() if row[DIGEST_SIZE] <= _MAX_AGE}
        self._rows |= {key: digest + b"\0" for key, digest in self._added.items()}
        self._added = {}
        return _framed(b"".join(key + row for key, row in self._rows.items()))


def _framed(rows: bytes) -> bytes:
    return _HEADER + hashlib.sha256(rows).digest() + rows


def _older(row: bytes) -> bytes:
    return row[:DIGEST_SIZE] + bytes((row[DIGEST_SIZE] + 1,))
