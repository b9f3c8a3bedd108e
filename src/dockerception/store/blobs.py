"""Content-addressed files, laid out as in an OCI image layout: ``blobs/sha256/<hex>``."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable

from ..errors import StoreError
from ..reference import Digest
from .disk import disk_errors
from .durable import HashedFile, has_size
from .lease import Lease
from .ledger import Ledger


class Blobs:
    """Blobs by digest.  Adding one that is there already changes nothing; a blob never changes."""

    def __init__(self, root: str, ledger: Ledger, lease: Lease) -> None:
        self._folder = os.path.join(root, "blobs")
        self._ledger = ledger
        self._lease = lease

    def path(self, digest: str) -> str:
        """Where the blob of this digest is, or would be.  Raises ``UsageError`` for what is no digest."""
        parsed = Digest.parse(digest)
        return os.path.join(self._folder, parsed.algorithm, parsed.hex)

    def has(self, digest: str) -> bool:
        """Whether the blob is here; if so, it is held until the lease ends."""
        path = self.path(digest)
        thing = f"blob:{digest}"
        found = self._ledger.find(thing, "SELECT 1 FROM things WHERE id = ?", (thing,))
        return found is not None and os.path.exists(path)

    def new(self) -> HashedFile:
        """A file to write a blob into; hand it to ``keep`` when it is whole."""
        return HashedFile(self._lease.temporary())

    def keep(self, file: HashedFile) -> Digest:
        """Give a written file its place and its row; returns its digest.  It is held until the lease ends.

        Idempotent and atomic: of equal blobs one is kept, whoever comes first.
        """
        digest = file.digest
        thing = f"blob:{digest}"
        file.sync()
        # The rename belongs in the transaction: between it and the row, a prune would take the file for rubbish.
        with self._ledger.writing() as transaction:
            file.commit(self.path(str(digest)))
            transaction.put(thing, size=file.size)
            transaction.hold(thing)
        return digest

    def put(self, data: bytes | Iterable[bytes]) -> Digest:
        """Store bytes, whole or in chunks; returns their digest."""
        if isinstance(data, bytes):
            digest = Digest.sha256(hashlib.sha256(data).digest())
            if self.has(str(digest)) and has_size(self.path(str(digest)), len(data)):
                return digest
            data = (data,)
        with self.new() as file:
            for chunk in data:
                file.write(chunk)
            return self.keep(file)

    def read(self, digest: str) -> bytes:
        """The whole of a small blob, verified.

        Raises ``StoreError`` if it is missing, or damaged; a damaged one is thrown away, so that it is made again.
        """
        path = self.path(digest)
        with disk_errors(f"reading the blob {digest}"), open(path, "rb") as file:
            data = file.read()
        if hashlib.sha256(data).hexdigest() != Digest.parse(digest).hex:
            with disk_errors(f"removing the damaged blob {digest}"):
                os.unlink(path)
            raise StoreError(
                f"The blob {digest} in the store was damaged.",
                hint="build or load again: what can be made again is made anew",
            )
        return data
