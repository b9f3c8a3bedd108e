"""SHA-256 of many files: small ones at once, big ones by a second thread while the walk goes on."""

from __future__ import annotations

import hashlib
import os
import queue
import threading
from typing import Final

EMPTY: Final = hashlib.sha256().digest()

_SMALL: Final = 1 << 18
"""Below this size in bytes, handing a file to another thread costs more than hashing it."""

_CHUNK_SIZE: Final = 1 << 20
_MAX_OPEN: Final = 64
_FLAGS: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NOATIME


class Digests:
    """Give it files with ``add``, then ask once for the ``results`` of those that had none at once."""

    def __init__(self) -> None:
        self._waiting: queue.Queue[int | None] = queue.Queue(_MAX_OPEN)
        self._results: list[bytes] = []
        self._error: OSError | None = None
        self._thread: threading.Thread | None = None

    def add(self, name: str, size: int) -> bytes:
        """The digest of a small file; of a big one nothing yet, and its digest will be in ``results``, in order."""
        descriptor = os.open(name, _FLAGS)
        if size < _SMALL:
            return _digest(descriptor)
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, daemon=True)
            self._thread.start()
        self._waiting.put(descriptor)
        return b""

    def results(self) -> list[bytes]:
        """The digests of the big files in the order in which they were added.  Raises ``OSError`` of reading one."""
        if self._thread is not None:
            self._waiting.put(None)
            self._thread.join()
        if self._error is not None:
            raise self._error
        return self._results

    def _work(self) -> None:
        while (descriptor := self._waiting.get()) is not None:
            try:
                self._results.append(_digest(descriptor))
            except OSError as error:
                self._error = error
                self._results.append(b"")


def _digest(descriptor: int) -> bytes:
    digest = hashlib.sha256()
    try:
        while chunk := os.read(descriptor, _CHUNK_SIZE):
            digest.update(chunk)
    finally:
        os.close(descriptor)
    return digest.digest()
