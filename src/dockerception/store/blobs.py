"""Content-addressed files, laid out as in an OCI image layout: ``blobs/sha256/<hex>``."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable

from ..errors import StoreError
from ..reference import Digest
from .database import Database, put_thing, touch
from .durable import HashedFile, disk_errors
from .lease import Lease


class Blobs:
    """Blobs by digest.  Adding one that is there already changes nothing; a blob never changes."""

    def __init__(self, root: str, database: Database, lease: Lease) -> None:
        self._folder = os.path.join(root, "blobs", "sha256")
        self._database = database
        self._lease = lease

    def path(self, digest: str) -> str:
        """Where the blob of this digest is, or would be."""
        return os.path.join(self._folder, Digest.parse(digest).hex)

    def has(self, digest: str) -> bool:
        """Whether the blob is here; if so, it is held until the lease ends."""
        with self._database.writing() as connection:
            if not connection.execute("SELECT 1 FROM things WHERE id = ?", (f"blob:{digest}",)).fetchone():
                return False
            self._lease.hold(connection, f"blob:{digest}")
            touch(connection, f"blob:{digest}")
        return os.path.exists(self.path(digest))

    def new(self) -> HashedFile:
        """A file to write a blob into; hand it to ``keep`` when it is whole."""
        return HashedFile(self._lease.temporary())

    def keep(self, file: HashedFile) -> Digest:
        """Give a written file its place and its row; returns its digest."""
        digest = file.digest
        file.commit(self.path(str(digest)))
        with self._database.writing() as connection:
            put_thing(connection, f"blob:{digest}", size=file.size)
            self._lease.hold(connection, f"blob:{digest}")
        return digest

    def put(self, data: bytes | Iterable[bytes]) -> Digest:
        """Store bytes, whole or in chunks; returns their digest."""
        with self.new() as file:
            for chunk in (data,) if isinstance(data, bytes) else data:
                file.write(chunk)
            return self.keep(file)

    def read(self, digest: str) -> bytes:
        """The whole of a small blob, verified.  Raises ``StoreError`` if it is missing or damaged."""
        with disk_errors(f"reading the blob {digest}"), open(self.path(digest), "rb") as file:
            data = file.read()
        if hashlib.sha256(data).hexdigest() != Digest.parse(digest).hex:
            raise StoreError(f"The blob {digest} in the store is damaged.", hint="run: dockerception prune --all")
        return data
