"""The one SQLite connection behind the store: schema, transactions, and the graph of what keeps what alive.

WAL with ``synchronous=NORMAL``: a power cut may lose the last commits but never half of one.  Every writing transaction
is ``BEGIN IMMEDIATE``, because a deferred one that upgrades fails at once under load.
"""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Final

from ..errors import DiskFullError, StoreError

SCHEMA_VERSION: Final = 1
_BUSY_SECONDS: Final = 60.0

_SCHEMA: Final = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
-- One row for each thing that takes room or names something; id is "kind:name".
CREATE TABLE things (
  id TEXT PRIMARY KEY, size INTEGER NOT NULL DEFAULT 0, created REAL NOT NULL, used REAL NOT NULL
) WITHOUT ROWID;
-- source keeps target alive.
CREATE TABLE refs (source TEXT NOT NULL, target TEXT NOT NULL, PRIMARY KEY (source, target)) WITHOUT ROWID;
CREATE INDEX refs_by_target ON refs (target);
CREATE TABLE layers (
  layer TEXT PRIMARY KEY, diff_id TEXT, toc TEXT, has_tree INTEGER NOT NULL, has_blob INTEGER NOT NULL,
  original TEXT, original_type TEXT, original_size INTEGER, size INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX layers_by_diff_id ON layers (diff_id);
CREATE TABLE images (config TEXT PRIMARY KEY, platform TEXT NOT NULL, layers TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE names (
  name TEXT NOT NULL, platform TEXT NOT NULL, config TEXT NOT NULL, PRIMARY KEY (name, platform)
) WITHOUT ROWID;
CREATE TABLE records (key TEXT PRIMARY KEY, value BLOB NOT NULL, parts BLOB) WITHOUT ROWID;
CREATE TABLE listings (root TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;
"""


class Database:
    """A connection that several threads of one process share, one transaction at a time.

    Raises ``StoreError`` for a database that is damaged, locked for too long or of another schema version, and
    ``DiskFullError`` where there is no room.
    """

    def __init__(self, path: str) -> None:
        self._path = path
        self._lock = threading.RLock()
        with self._translated():
            self._connection = sqlite3.connect(
                path, timeout=_BUSY_SECONDS, isolation_level=None, check_same_thread=False
            )
            self._connection.execute("PRAGMA synchronous = NORMAL")
            if self._connection.execute("PRAGMA user_version").fetchone()[0] != SCHEMA_VERSION:
                self._prepare()

    def _prepare(self) -> None:
        self._connection.execute("PRAGMA journal_mode = WAL")
        with self.writing() as connection:
            version = connection.execute("PRAGMA user_version").fetchone()[0]
            if version == SCHEMA_VERSION:
                return
            if version != 0:
                raise StoreError(
                    f"The store at {self._path} has schema version {version}, not {SCHEMA_VERSION}.",
                    hint="use the version that made it, or point DOCKERCEPTION_HOME at another directory",
                )
            for statement in _SCHEMA.split(";\n"):
                connection.execute(statement)
            connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """One writing transaction: committed at the end, rolled back when the block raises.  Not reentrant."""
        with self._lock, self._translated():
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield self._connection
            except BaseException:
                self._connection.execute("ROLLBACK")
                raise
            self._connection.execute("COMMIT")

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """The connection, for statements that only read."""
        with self._lock, self._translated():
            yield self._connection

    def close(self) -> None:
        """Close the connection; nothing may be used after."""
        with self._lock:
            self._connection.close()

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            text = str(error)
            if "full" in text:
                raise DiskFullError(
                    f"There is no room for the database of the store at {self._path}.", hint="free some disk space"
                ) from error
            if "locked" in text:
                raise StoreError(
                    f"The store at {self._path} has been busy for {_BUSY_SECONDS:.0f} s.",
                    hint="try again; is its disk very slow?",
                ) from error
            raise StoreError(
                f"The database of the store at {self._path} can't be used: {text}.",
                hint="if it is damaged, move the directory away; images in it can be built or loaded again",
            ) from error


def put_thing(connection: sqlite3.Connection, thing: str, *, size: int = 0, keeps: Iterable[str] = ()) -> None:
    """Record a thing (again: its size and use time are renewed) and what it keeps alive."""
    now = time.time()
    connection.execute(
        "INSERT INTO things VALUES (?1, ?2, ?3, ?3) ON CONFLICT (id) DO UPDATE SET size = ?2, used = ?3",
        (thing, size, now),
    )
    connection.executemany("INSERT OR IGNORE INTO refs VALUES (?, ?)", [(thing, target) for target in keeps])


def touch(connection: sqlite3.Connection, thing: str) -> None:
    """Note that a thing was used now."""
    connection.execute("UPDATE things SET used = ? WHERE id = ?", (time.time(), thing))


def forget(connection: sqlite3.Connection, thing: str) -> None:
    """Remove a thing and what it kept alive by itself."""
    connection.execute("DELETE FROM things WHERE id = ?", (thing,))
    connection.execute("DELETE FROM refs WHERE source = ?", (thing,))
