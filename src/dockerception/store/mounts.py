"""Cache mounts (``RUN --mount=type=cache``): directories that outlive builds, and who may use one at a time."""

from __future__ import annotations

import fcntl
import hashlib
import itertools
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final, Literal

from .durable import disk_errors
from .ledger import Ledger

Sharing = Literal["shared", "private", "locked"]
LOCK_SUFFIX: Final = ".lock"


class Mounts:
    """Cache mounts by name.  A directory that does not exist is made by whoever mounts it."""

    def __init__(self, root: str, ledger: Ledger) -> None:
        self._folder = os.path.join(root, "caches")
        self._ledger = ledger

    @contextmanager
    def use(self, name: str, sharing: Sharing) -> Iterator[str]:
        """The directory of a cache for the duration of the block.

        ``shared``: any number at once.  ``locked``: one after another.  ``private``: whoever finds it in use gets
        another one, which is kept for the next time.
        """
        if sharing == "shared":
            yield self._directory(name)
            return
        numbers = itertools.count() if sharing == "private" else itertools.repeat(0)
        for number in numbers:
            directory = self._directory(f"{name}\0{number}" if number else name)
            with disk_errors("locking a cache mount"):
                lock = os.open(directory + LOCK_SUFFIX, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                try:
                    fcntl.flock(lock, fcntl.LOCK_EX | (fcntl.LOCK_NB if sharing == "private" else 0))
                except BlockingIOError:
                    continue
                yield directory
                return
            finally:
                os.close(lock)

    def _directory(self, name: str) -> str:
        directory = hashlib.sha256(name.encode(errors="surrogateescape")).hexdigest()[:24]
        with self._ledger.writing() as transaction:
            transaction.put(f"mount:{directory}")
            transaction.hold(f"mount:{directory}")
        return os.path.join(self._folder, directory)
