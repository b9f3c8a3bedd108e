"""The store as one handle: where it is, its parts, and the lease under which a process uses it."""

from __future__ import annotations

import os
from types import TracebackType

from ..errors import StoreError
from .blobs import Blobs
from .contexts import Contexts
from .database import Database
from .durable import disk_errors
from .images import Images
from .layers import Layers
from .lease import Lease
from .mounts import Mounts
from .prune import Pruner, Remove
from .records import Listings, Records

_FOLDERS = ("blobs/sha256", "trees", "contexts", "caches", "leases", "tmp", "logs")


def default_root() -> str:
    """``$DOCKERCEPTION_HOME``, else ``dockerception`` in the user's data directory."""
    chosen = os.environ.get("DOCKERCEPTION_HOME", "")
    if chosen:
        return os.path.abspath(chosen)
    import platformdirs

    return platformdirs.user_data_dir("dockerception", appauthor=False)


class Store:
    """An open store.  Everything found or added through it is held until ``close``; use it as a context manager.

    Threads of one process may share it; other processes open their own.  Raises ``StoreError`` if the directory can't
    be made or the database can't be used.
    """

    def __init__(self, root: str | None = None) -> None:
        self.root = os.path.abspath(root) if root else default_root()
        self._make_folders()
        self._database = Database(os.path.join(self.root, "store.db"))
        self._lease = Lease(self.root)
        self.blobs = Blobs(self.root, self._database, self._lease)
        self.layers = Layers(self.root, self._database, self._lease, self.blobs)
        self.images = Images(self._database, self._lease, self.blobs, self.layers)
        self.records = Records(self._database, self._lease)
        self.listings = Listings(self._database)
        self.contexts = Contexts(self.root, self._database, self._lease, self.blobs)
        self.mounts = Mounts(self.root, self._database, self._lease)
        self.pruner = Pruner(self.root, self._database, self._lease)

    def _make_folders(self) -> None:
        if os.path.exists(os.path.join(self.root, "store.db")):
            return
        with disk_errors("making the store"):
            for folder in _FOLDERS:
                os.makedirs(os.path.join(self.root, folder), exist_ok=True)
            os.chmod(self.root, 0o700)
            with open(os.path.join(self.root, "oci-layout"), "w", encoding="ascii") as file:
                file.write('{"imageLayoutVersion":"1.0.0"}')

    @property
    def scratch(self) -> str:
        """This process's directory for unfinished things, on the store's disk."""
        return self._lease.scratch

    def temporary(self, suffix: str = "") -> str:
        """A fresh path in ``scratch``; nothing is made there."""
        return self._lease.temporary(suffix)

    def close(self, remove: Remove | None = None) -> None:
        """End the lease.  ``remove`` deletes a directory tree, by default as this user."""
        (remove or remove_tree)(self._lease.scratch)
        with self._database.writing() as connection:
            self._lease.release(connection)
        self._lease.close()
        self._database.close()

    def __enter__(self) -> Store:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def remove_tree(path: str) -> None:
    """Remove a directory tree, never following links.  Raises ``StoreError`` if something in it can't be removed."""
    import shutil

    try:
        shutil.rmtree(path)
    except FileNotFoundError:
        return
    except OSError as error:
        raise StoreError(f"{error.filename or path} can't be removed: {error.strerror}.") from error
