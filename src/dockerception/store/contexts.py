"""Emitted and streamed contexts: a toc (a blob) and a spool file that holds the contents its offsets point into.

A context is named by its toc's digest, which covers the digest of every file: the spool needs no hash of its own.
"""

from __future__ import annotations

import os

from ..oci.toc import Toc
from .blobs import Blobs
from .database import Database, put_thing
from .durable import disk_errors
from .lease import Lease


class Contexts:
    """Spooled contexts by the digest of their toc."""

    def __init__(self, root: str, database: Database, lease: Lease, blobs: Blobs) -> None:
        self._folder = os.path.join(root, "contexts")
        self._database = database
        self._lease = lease
        self._blobs = blobs

    def new_spool(self) -> str:
        """A path to write a new spool file to; it is temporary until ``keep``."""
        return self._lease.temporary(".spool")

    def spool_path(self, digest: str) -> str:
        """Where the spool of a kept context is."""
        return os.path.join(self._folder, digest.removeprefix("sha256:"))

    def keep(self, toc: Toc, spool: str) -> str:
        """Take a finished spool over; returns the context's digest.  Of equal contexts one is kept."""
        digest = str(self._blobs.put(toc.encode()))
        with disk_errors("keeping a context"):
            descriptor = os.open(spool, os.O_RDONLY)
            try:
                size = os.fstat(descriptor).st_blocks * 512
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
            os.rename(spool, self.spool_path(digest))
        with self._database.writing() as connection:
            put_thing(connection, f"context:{digest}", size=size, keeps=[f"blob:{digest}"])
            self._lease.hold(connection, f"context:{digest}")
        return digest

    def find(self, digest: str) -> Toc | None:
        """The toc of a kept context, if it is complete."""
        with self._database.writing() as connection:
            if not connection.execute("SELECT 1 FROM things WHERE id = ?", (f"context:{digest}",)).fetchone():
                return None
            self._lease.hold(connection, f"context:{digest}")
        if not os.path.exists(self.spool_path(digest)):
            return None
        return Toc.decode(self._blobs.read(digest))
