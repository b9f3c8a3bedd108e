"""Hashing and writing a file in a thread of its own, so that whoever makes its bytes need not wait for either.

``hashlib`` and the kernel work without Python's lock, so with two processors the thread costs nothing.
"""

from __future__ import annotations

import os
import threading
from typing import Final, Protocol

_WAITING: Final = 4  # blocks, of a mebibyte or so each


class Hash(Protocol):
    """What ``hashlib`` makes."""

    def update(self, data: bytes | bytearray, /) -> None: ...


class WriteBehind:
    """Takes blocks and appends them to a descriptor, hashing each.  At most a few blocks wait at any time.

    Errors of the thread are raised by the next ``put``, or by ``finish``.
    """

    def __init__(self, descriptor: int, digest: Hash) -> None:
        from queue import Queue

        self._descriptor = descriptor
        self._digest = digest
        self._blocks: Queue[bytearray | None] = Queue(_WAITING)
        self._error: Exception | None = None
        self._thread = threading.Thread(target=self._work, daemon=True)
        self._thread.start()

    def put(self, block: bytearray) -> None:
        """Hand a block over; it must not be changed any more."""
        self._blocks.put(block)
        self._raise()

    def finish(self) -> None:
        """Wait until everything is written; nothing may be put any more.  May be called again."""
        if self._thread.is_alive():
            self._blocks.put(None)
            self._thread.join()
        self._raise()

    def _raise(self) -> None:
        if self._error is not None:
            raise self._error

    def _work(self) -> None:
        while (block := self._blocks.get()) is not None:
            # After an error the blocks are still taken, so that nobody waits for room for ever.
            if self._error is None:
                try:
                    self._digest.update(block)
                    write_all(self._descriptor, block)
                except OSError as error:
                    self._error = error


def write_all(descriptor: int, data: bytes | bytearray | memoryview) -> None:
    """Write all of it.  Raises ``OSError``."""
    rest = memoryview(data).cast("B")
    while rest:
        rest = rest[os.write(descriptor, rest) :]
