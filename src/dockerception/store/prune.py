"""Giving room back: rows first, in one transaction, then files, moved to ``tmp/`` and removed there.

Files come into their places inside transactions that write their rows too, so under the database's lock a file without
a row is rubbish, whoever left it.  A crash at any point leaves only such files, or some in ``tmp/``.
"""

from __future__ import annotations

import math
import os
import time
from collections.abc import Iterator
from itertools import islice
from typing import Final

import msgspec

from ..errors import DockerceptionError
from .cap import Holdings, forget_oldest, holdings
from .database import Database
from .disk import disk_errors
from .doomed import forget_doomed
from .lease import Lease
from .ledger import Ledger
from .mounts import LOCK_SUFFIX
from .removal import Remove
from .sweep import sweep_thoroughly
from .usage import disk_usage

__all__ = ["Pruned", "Pruner", "Remove"]

# The kind of thing whose files are in a folder, and how their names go on from there.
FOLDERS: Final = (
    ("trees", "layer:"),
    ("blobs/sha256", "blob:sha256:"),
    ("contexts", "context:sha256:"),
    ("caches", "mount:"),
)
_BATCH: Final = 200


class Pruned(msgspec.Struct, frozen=True, kw_only=True):
    """What a prune removed: the ids of things, and the bytes that the disk got back."""

    things: tuple[str, ...]
    bytes_freed: int


class Pruner:
    """Deletes what nothing needs."""

    def __init__(self, root: str, database: Database, ledger: Ledger, lease: Lease) -> None:
        self._root = root
        self._database = database
        self._ledger = ledger
        self._lease = lease

    def prune(self, *, everything: bool = False, older_than: float = 0.0, remove: Remove) -> Pruned:
        """Delete images without a name and cache records that no named image came from.

        ``everything`` deletes all cache records and cache mounts, whatever they led to.  ``older_than`` (seconds)
        spares what was used more recently (uses are noted to ten minutes), and what that
        needs.  What a running build holds is never touched.  Raises
        the first error of ``remove``, after everything else has been done.
        """
        errors = self.sweep(remove)
        with self._ledger.writing() as transaction:
            things = forget_doomed(transaction, self._root, everything=everything, before=_moment(older_than))
        return self._give_back(things, remove, errors)

    def make_room(self, limit: int, *, older_than: float = 0.0, remove: Remove) -> Pruned:
        """Delete what has been used least recently until the store has at most ``limit`` bytes.

        What a name leads to, or a running build holds, is never touched; ``older_than`` and errors as with ``prune``.
        Where nothing is to go, nothing is written.
        """
        if self.holdings().excess(limit) == 0:
            return Pruned(things=(), bytes_freed=0)
        with self._ledger.writing() as transaction:
            things = forget_oldest(transaction, self._root, limit=limit, before=_moment(older_than))
        return self._give_back(things, remove, [])

    def holdings(self) -> Holdings:
        """What the store has, and what of it may go.  Cache mounts, which steps write to, are measured for it."""
        folder = os.path.join(self._root, "caches")
        rows = self._ledger.rows("SELECT id, size FROM things WHERE id GLOB 'mount:*'")
        sizes = {thing: disk_usage(os.path.join(folder, thing.removeprefix("mount:"))) for thing, _ in rows}
        changed = [(sizes[thing], thing) for thing, size in rows if sizes[thing] != size]
        with self._ledger.writing() as transaction:
            transaction.connection.executemany("UPDATE things SET size = ? WHERE id = ?", changed)
            return holdings(transaction, self._root)

    def _give_back(self, things: list[str], remove: Remove, errors: list[DockerceptionError]) -> Pruned:
        """Remove the files whose rows are gone; raises the first error, of ``errors`` and of its own."""
        freed = 0
        for path in self._move_rubbish():
            size = disk_usage(path)
            try:
                _remove(path, remove)
            except DockerceptionError as error:
                errors.append(error)
                continue
            freed += size
        self._database.shrink()
        if errors:
            raise errors[0]
        return Pruned(things=tuple(things), bytes_freed=freed)

    def sweep(self, remove: Remove) -> list[DockerceptionError]:
        """Remove what processes that were killed have left in ``tmp/``; returns what could not be removed."""
        return sweep_thoroughly(self._root, remove)

    def _move_rubbish(self) -> Iterator[str]:
        """Move every file that has no row to ``tmp/``, some at a time; yields where they are now."""
        for folder, prefix in FOLDERS:
            with disk_errors("listing the store"):
                names = iter(os.listdir(os.path.join(self._root, folder)))
            while batch := list(islice(names, _BATCH)):
                yield from self._move_batch(folder, prefix, batch)

    def _move_batch(self, folder: str, prefix: str, names: list[str]) -> list[str]:
        moved = []
        scratch = self._lease.temporary
        with self._ledger.writing() as transaction, disk_errors("moving what is pruned"):
            for name in names:
                if not transaction.has(prefix + name.removesuffix(LOCK_SUFFIX)):
                    place = scratch()
                    try:
                        os.rename(os.path.join(self._root, folder, name), place)
                    except FileNotFoundError:
                        continue
                    moved.append(place)
        return moved


def _moment(older_than: float) -> float:
    """The point in time before which what was used may go."""
    return time.time() - older_than if older_than > 0 else math.inf


def _remove(path: str, remove: Remove) -> None:
    if os.path.isdir(path) and not os.path.islink(path):
        remove(path)
    else:
        with disk_errors("removing what is pruned"):
            os.unlink(path)
