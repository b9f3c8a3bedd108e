"""Emitted and streamed contexts: a toc (a blob) and a spool file that holds the contents its offsets point into.

A context is named by its toc's digest, which covers the digest of every file: the spool needs no hash of its own.
"""

from __future__ import annotations

import os

from ..errors import StoreError
from ..oci.toc import Toc
from .blobs import Blobs
from .disk import disk_errors
from .lease import Lease
from .ledger import Ledger


class Contexts:
    """Spooled contexts by the digest of their toc.  What is kept or found is held until the lease ends."""

    def __init__(self, root: str, ledger: Ledger, lease: Lease, blobs: Blobs) -> None:
        self._folder = os.path.join(root, "contexts")
        self._ledger = ledger
        self._lease = lease
        self._blobs = blobs

    def new_spool(self) -> str:
        """A path to write a new spool file to; it is temporary until ``keep``."""
        return self._lease.temporary(".spool")

    def spool_path(self, digest: str) -> str:
        """Where the spool of a kept context is."""
        return os.path.join(self._folder, digest.removeprefix("sha256:"))

    def keep(self, toc: Toc, spool: str) -> str:
        """Take a finished spool over; returns the context's digest.

        Idempotent and atomic: of equal contexts the first is kept, and a later one's spool removed.
        """
        digest = str(self._blobs.put(toc.encode()))
        path = self.spool_path(digest)
        with disk_errors("keeping a context", spool):
            size = _sync(spool)
        with self._ledger.writing() as transaction, disk_errors("keeping a context"):
            if os.path.exists(path):
                os.unlink(spool)
            else:
                os.rename(spool, path)
            transaction.put(f"context:{digest}", size=size, keeps=[f"blob:{digest}"])
            transaction.hold(f"context:{digest}")
        return digest

    def find(self, digest: str) -> Toc | None:
        """The toc of a kept context, if it is complete."""
        thing = f"context:{digest}"
        if self._ledger.find(thing, "SELECT 1 FROM things WHERE id = ?", (thing,)) is None:
            return None
        if not os.path.exists(self.spool_path(digest)):
            return None
        try:
            return Toc.decode(self._blobs.read(digest))
        except StoreError:
            return None  # a toc that is gone or damaged: the context is made again


def _sync(path: str) -> int:
    """Have a file on the disk; returns the room that it takes there, in bytes."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
        return os.fstat(descriptor).st_blocks * 512
    finally:
        os.close(descriptor)
