"""Giving room back: rows first, in one transaction, then files.

What a name or a live lease reaches through ``refs`` stays.  A crash between the two leaves files without rows, which
the next ``sweep`` of anybody removes.
"""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Callable, Iterator
from typing import Final

import msgspec

from .database import Database, forget
from .lease import Lease, dead_leases
from .usage import disk_usage

Remove = Callable[[str], None]
"""Removes a directory tree.  The engine passes one that works on files of mapped owners too."""

_REACHED: Final = """
WITH RECURSIVE reached (id) AS (
  SELECT id FROM things WHERE id LIKE 'name:%'
  UNION SELECT target FROM refs WHERE source LIKE 'lease:%'
  UNION SELECT id FROM things WHERE id LIKE ?1
  UNION SELECT target FROM refs JOIN reached ON refs.source = reached.id
)
"""


class Pruned(msgspec.Struct, frozen=True, kw_only=True):
    """What a prune removed: the ids of things, and the bytes that the disk got back."""

    things: tuple[str, ...]
    bytes_freed: int


class Pruner:
    """Deletes what nothing needs."""

    def __init__(self, root: str, database: Database, lease: Lease) -> None:
        self._root = root
        self._database = database
        self._lease = lease

    def prune(self, *, everything: bool = False, older_than: float = 0.0, remove: Remove) -> Pruned:
        """Delete images without a name and cache records that no named image came from.

        ``everything`` deletes all cache records and cache mounts, whatever they led to.  ``older_than`` (seconds)
        spares what was used more recently.  What a running build holds is never touched.
        """
        for name in dead_leases(self._root):
            self._end_lease(name)
            self._clear(os.path.join(self._root, "tmp", name), remove)
        before = time.time() - older_than
        with self._database.writing() as connection:
            doomed = self._doomed(connection, everything=everything, before=before)
            for thing in doomed:
                self._drop(connection, thing)
        freed = sum(self._discard(thing, remove) for thing in doomed)
        return Pruned(things=tuple(doomed), bytes_freed=freed + self._sweep_files(remove))

    def sweep(self, remove: Remove) -> None:
        """Remove what processes that were killed have left in ``tmp/``; cheap when there is nothing."""
        for name in dead_leases(self._root):
            self._end_lease(name)
            self._clear(os.path.join(self._root, "tmp", name), remove)

    def _end_lease(self, name: str) -> None:
        with self._database.writing() as connection:
            connection.execute("DELETE FROM refs WHERE source = ?", (f"lease:{name}",))

    def _clear(self, path: str, remove: Remove) -> None:
        if os.path.isdir(path):
            remove(path)

    def _doomed(self, connection: sqlite3.Connection, *, everything: bool, before: float) -> list[str]:
        records = self._doomed_records(connection, everything=everything, before=before)
        for record in records:
            forget(connection, record)
        query = (
            _REACHED
            + "SELECT id FROM things WHERE used <= ?2 AND id NOT LIKE 'mount:%' AND id NOT IN (SELECT id FROM reached)"
        )
        rest = [row[0] for row in connection.execute(query, ("record:%", before))]
        mounts = (
            [
                row[0]
                for row in connection.execute("SELECT id FROM things WHERE id LIKE 'mount:%' AND used <= ?", (before,))
            ]
            if everything
            else []
        )
        held = {row[0] for row in connection.execute("SELECT target FROM refs WHERE source LIKE 'lease:%'")}
        return [*records, *rest, *(mount for mount in mounts if mount not in held)]

    def _doomed_records(self, connection: sqlite3.Connection, *, everything: bool, before: float) -> list[str]:
        """Records that may go: not held, and (unless ``everything``) leading to something that no name reaches."""
        reached = {row[0] for row in connection.execute(_REACHED + "SELECT id FROM reached", ("",))}
        records = [
            row[0]
            for row in connection.execute("SELECT id FROM things WHERE id LIKE 'record:%' AND used <= ?", (before,))
        ]
        doomed = []
        for record in records:
            targets = [row[0] for row in connection.execute("SELECT target FROM refs WHERE source = ?", (record,))]
            is_needed = record in reached or (
                not everything and targets and all(target in reached for target in targets)
            )
            if not is_needed:
                doomed.append(record)
        return doomed

    def _drop(self, connection: sqlite3.Connection, thing: str) -> None:
        kind, _, name = thing.partition(":")
        forget(connection, thing)
        if kind == "layer":
            connection.execute("DELETE FROM layers WHERE layer = ?", (name,))
        elif kind == "image":
            connection.execute("DELETE FROM images WHERE config = ?", (name,))
        elif kind == "record":
            connection.execute("DELETE FROM records WHERE key = ?", (name,))

    def _files(self, thing: str) -> Iterator[str]:
        kind, _, name = thing.partition(":")
        folders = {"blob": "blobs/sha256", "context": "contexts", "layer": "trees", "mount": "caches"}
        if kind in folders:
            yield os.path.join(self._root, folders[kind], name.removeprefix("sha256:"))

    def _discard(self, thing: str, remove: Remove) -> int:
        """Move a thing's files to ``tmp/`` and remove them there; returns the bytes that they took."""
        freed = 0
        for path in self._files(thing):
            freed += self._throw_away(path, remove)
        return freed

    def _throw_away(self, path: str, remove: Remove) -> int:
        doomed = self._lease.temporary()
        try:
            os.rename(path, doomed)
        except FileNotFoundError:
            return 0
        if os.path.isdir(doomed) and not os.path.islink(doomed):
            freed = disk_usage(doomed)
            remove(doomed)
            return freed
        freed = os.stat(doomed).st_blocks * 512
        os.unlink(doomed)
        return freed

    def _sweep_files(self, remove: Remove) -> int:
        """Remove files that have no row: what a crash left between a rename and its row."""
        freed = 0
        for folder, kind in (("trees", "layer:"), ("blobs/sha256", "blob:sha256:"), ("contexts", "context:sha256:")):
            for name in os.listdir(os.path.join(self._root, folder)):
                with self._database.writing() as connection:
                    # Under the lock no writer is between the two; a young file may still be on its way to its row.
                    row = connection.execute("SELECT 1 FROM things WHERE id = ?", (kind + name,)).fetchone()
                path = os.path.join(self._root, folder, name)
                if row is None and _age(path) > _GRACE_SECONDS:
                    freed += self._throw_away(path, remove)
        return freed


_GRACE_SECONDS: Final = 3600.0


def _age(path: str) -> float:
    try:
        return time.time() - os.lstat(path).st_ctime
    except FileNotFoundError:
        return 0.0
