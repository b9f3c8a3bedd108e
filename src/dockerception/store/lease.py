"""A lease: a locked file, and rows that keep alive what this process has looked up or added.

The kernel frees the lock when the process ends, however it ends; so a lease is dead exactly when its lock is free.
"""

from __future__ import annotations

import fcntl
import os
import secrets
import sqlite3
from collections.abc import Iterator

from .durable import disk_errors


class Lease:
    """One process's claim on what it uses, and its own temporary directory ``tmp/<lease>/``."""

    def __init__(self, root: str) -> None:
        self._counter = 0
        with disk_errors("taking a lease of the store"):
            while True:
                self.name = secrets.token_hex(8)
                self._path = os.path.join(root, "leases", self.name)
                self._descriptor = os.open(self._path, os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_CLOEXEC, 0o600)
                fcntl.flock(self._descriptor, fcntl.LOCK_EX)
                if os.fstat(self._descriptor).st_nlink:
                    break
                os.close(self._descriptor)  # somebody took it for dead before it was locked
            self._scratch = os.path.join(root, "tmp", self.name)
            os.mkdir(self._scratch, 0o700)

    @property
    def scratch(self) -> str:
        """The directory for everything unfinished; it is on the store's disk, so that a rename finishes it."""
        return self._scratch

    def temporary(self, suffix: str = "") -> str:
        """A fresh path in the temporary directory; nothing is made there."""
        self._counter += 1
        return os.path.join(self._scratch, f"{self._counter}-{secrets.token_hex(3)}{suffix}")

    def hold(self, connection: sqlite3.Connection, thing: str) -> None:
        """Keep a thing alive until the lease ends; in the transaction that found or added it."""
        connection.execute("INSERT OR IGNORE INTO refs VALUES (?, ?)", (f"lease:{self.name}", thing))

    def release(self, connection: sqlite3.Connection) -> None:
        """End the lease."""
        connection.execute("DELETE FROM refs WHERE source = ?", (f"lease:{self.name}",))

    def close(self) -> None:
        """Free the lock and forget the file.  The scratch directory must have been emptied before."""
        os.unlink(self._path)
        os.close(self._descriptor)


def dead_leases(root: str) -> Iterator[str]:
    """The names of leases whose process is gone.  Each one's lock is held while it is yielded, so only one process
    cleans up after it; its file is removed afterwards if its scratch directory is gone."""
    folder = os.path.join(root, "leases")
    for name in os.listdir(folder):
        path = os.path.join(folder, name)
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        except FileNotFoundError:
            continue
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if os.fstat(descriptor).st_nlink == 0:
                continue  # its owner ended between our open and our lock
            yield name
            if not os.path.exists(os.path.join(root, "tmp", name)):
                os.unlink(path)
        except BlockingIOError:
            continue
        finally:
            os.close(descriptor)
