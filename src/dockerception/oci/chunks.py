"""Streams in their two shapes: chunks that are made on demand, and ``read(n)``."""

from __future__ import annotations

from collections.abc import Callable, Iterable

Read = Callable[[int], bytes]
"""``read(n)`` returns at most ``n`` bytes, none at the end."""


def reader_of(chunks: Iterable[bytes | memoryview]) -> Read:
    """A ``read(n)`` of chunks that are made on demand."""
    iterator = iter(chunks)
    rest = memoryview(b"")

    def read(size: int) -> bytes:
        nonlocal rest
        while not rest:
            chunk = next(iterator, None)
            if chunk is None:
                return b""
            rest = memoryview(chunk)
        piece = rest[:size]
        rest = rest[len(piece) :]
        return bytes(piece)

    return read
