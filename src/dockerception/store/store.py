"""The store as one handle: where it is, its parts, and the lease under which a process uses it."""

from __future__ import annotations

import os
from functools import cached_property
from types import TracebackType
from typing import TYPE_CHECKING, Final

from ..errors import DockerceptionError
from .blobs import Blobs
from .claims import Claims
from .contexts import Contexts
from .database import Database
from .disk import disk_errors
from .images import Images
from .layers import Layers
from .lease import Lease
from .ledger import Ledger
from .mounts import Mounts
from .records import Listings, Records
from .removal import Remove, remove_tree
from .sweep import sweep
from .traces import Traces

if TYPE_CHECKING:
    from .prune import Pruner
    from .verify import Verdict

_FOLDERS: Final = ("blobs", "blobs/sha256", "trees", "contexts", "caches", "leases", "tmp", "logs")
_DATABASE: Final = "store.db"
_LAYOUT: Final = '{"imageLayoutVersion":"1.0.0"}'


def default_root() -> str:
    """``$DOCKERCEPTION_HOME``, else ``dockerception`` in the user's data directory."""
    chosen = os.environ.get("DOCKERCEPTION_HOME", "")
    if chosen:
        return os.path.abspath(chosen)
    import platformdirs

    return platformdirs.user_data_dir("dockerception", appauthor=False)


class Store:
    """An open store.  Everything found or added through it is held until ``close``; use it as a context manager.

    Threads of one process may share it; other processes open their own.  Opening it cleans up after processes that were
    killed.  Raises ``StoreError`` if the directory can't be made or the database can't be used.
    """

    def __init__(self, root: str | None = None) -> None:
        self.root = os.path.abspath(root) if root else default_root()
        self._make_folders()
        self._database = Database(os.path.join(self.root, _DATABASE))
        try:
            with disk_errors("opening the store"):
                sweep(self.root)
        except BaseException:
            self._database.close()
            raise
        self._lease = Lease(self.root)
        self._ledger = Ledger(self._database, self._lease)
        self.blobs = Blobs(self.root, self._ledger, self._lease)
        self.layers = Layers(self.root, self._ledger, self.blobs)
        self.images = Images(self._ledger, self.blobs, self.layers)
        self.records = Records(self._ledger)
        self.listings = Listings(self._database)
        self.traces = Traces(self._ledger)
        self.contexts = Contexts(self.root, self._ledger, self._lease, self.blobs)
        self.mounts = Mounts(self.root, self._ledger)
        self.claims = Claims(self.root)

    @cached_property
    def pruner(self) -> Pruner:
        """What gives room back."""
        from .prune import Pruner

        return Pruner(self.root, self._database, self._ledger, self._lease)

    def _make_folders(self) -> None:
        """Make what a store consists of.  Its parts are this user's alone; the directory may be shared or have been
        there before, and keeps its mode."""
        if os.path.exists(os.path.join(self.root, _DATABASE)):
            return
        with disk_errors("making the store"):
            os.makedirs(self.root, 0o700, exist_ok=True)
            for folder in _FOLDERS:
                try:
                    os.mkdir(os.path.join(self.root, folder), 0o700)
                except FileExistsError:
                    continue
            with open(os.path.join(self.root, "oci-layout"), "w", encoding="ascii") as file:
                file.write(_LAYOUT)
            # Last, for it says that the rest is there; and before SQLite does, which would let everybody read it.
            os.close(os.open(os.path.join(self.root, _DATABASE), os.O_CREAT | os.O_WRONLY | os.O_CLOEXEC, 0o600))

    def verify(self) -> Verdict:
        """Look whether the store is whole: every row, every digest, every reference.  Reads all that is in it."""
        from .verify import Verifier

        return Verifier(self.root, self._ledger).verify()

    def repair(self, verdict: Verdict) -> tuple[str, ...]:
        """Forget what is damaged, and what needs it; returns the ids of what was forgotten."""
        from .repair import Repairer

        return Repairer(self._ledger, self.layers, self.blobs.path, self.contexts.spool_path).repair(verdict.flaws)

    @property
    def scratch(self) -> str:
        """This process's directory for unfinished things, on the store's disk."""
        return self._lease.scratch

    @property
    def has_grown(self) -> bool:
        """Whether this process has brought something here that takes room."""
        return self._ledger.has_grown

    def temporary(self, suffix: str = "") -> str:
        """A fresh path in ``scratch``; nothing is made there."""
        return self._lease.temporary(suffix)

    def close(self, remove: Remove | None = None) -> None:
        """End the lease and remove ``scratch``, with ``remove`` (by default as this user).  Idempotent.

        Raises nothing for what can't be removed, so that the error of a build stays the one that is seen: it is left
        to a later sweep, as after a crash.
        """
        try:
            if self._lease.has_scratch:
                (remove or remove_tree)(self._lease.scratch)
        except (DockerceptionError, OSError):
            pass
        finally:
            self._lease.close()
            self._database.close()

    def __enter__(self) -> Store:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
