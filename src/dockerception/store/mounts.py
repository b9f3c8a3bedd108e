"""Cache mounts (``RUN --mount=type=cache``): directories that outlive builds, and who may use one at a time."""

from __future__ import annotations

import fcntl
import hashlib
import itertools
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final, Literal

from .disk import disk_errors
from .ledger import Ledger

Sharing = Literal["shared", "private", "locked"]
Check = Callable[[], None]
LOCK_SUFFIX: Final = ".lock"
_WAIT_SECONDS: Final = 0.05


def _go_on() -> None:
    """The check that never ends the waiting."""


class Mounts:
    """Cache mounts by name.  A directory that does not exist is made by whoever mounts it."""

    def __init__(self, root: str, ledger: Ledger) -> None:
        self._folder = os.path.join(root, "caches")
        self._ledger = ledger

    @contextmanager
    def use(self, name: str, sharing: Sharing, check: Check = _go_on) -> Iterator[str]:
        """The directory of a cache for the duration of the block.

        ``shared``: any number at once.  ``locked``: one after another.  ``private``: whoever finds it in use gets
        another one, which is kept for the next time.  ``check`` is called now and then while others are waited for;
        what it raises ends the waiting.
        """
        if sharing == "shared":
            yield self._directory(name)
            return
        for number in itertools.count() if sharing == "private" else itertools.repeat(0):
            directory = self._directory(f"{name}\0{number}" if number else name)
            with disk_errors("locking a cache mount"):
                lock = os.open(directory + LOCK_SUFFIX, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                if _is_ours(lock) or (sharing == "locked" and _wait(lock, check)):
                    yield directory
                    return
            finally:
                os.close(lock)

    def path(self, name: str) -> str:
        """Where the directory of a cache is, or would be; its own name is the same on every machine."""
        return os.path.join(self._folder, _directory_name(name))

    def find(self, name: str) -> str | None:
        """The directory of a cache, if it has been made; it is held until the lease ends."""
        return self._directory(name) if os.path.isdir(self.path(name)) else None

    def _directory(self, name: str) -> str:
        directory = _directory_name(name)
        with self._ledger.writing() as transaction:
            transaction.put(f"mount:{directory}")
            transaction.hold(f"mount:{directory}")
        return os.path.join(self._folder, directory)


def _directory_name(name: str) -> str:
    return hashlib.sha256(name.encode(errors="surrogateescape")).hexdigest()[:24]


def _is_ours(lock: int) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _wait(lock: int, check: Check) -> bool:
    while not _is_ours(lock):
        check()
        time.sleep(_WAIT_SECONDS)
    return True
