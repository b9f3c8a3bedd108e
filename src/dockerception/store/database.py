"""The one SQLite connection behind the store: its schema, its transactions, and its errors as the store's.

WAL with ``synchronous=NORMAL``: a power cut may lose the last commits but never half of one.  Every writing transaction
is ``BEGIN IMMEDIATE``, because a deferred one that upgrades fails at once under load.
"""

from __future__ import annotations

import fcntl
import os
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from ..errors import BROKEN_DISK, FREE_SPACE, DiskFailedError, DiskFullError, StoreError
from .disk import disk_errors

SCHEMA_VERSION: Final = 2
_BUSY_SECONDS: Final = 60.0

_SCHEMA: Final = """
-- One row for each thing that takes room or names something; id is "kind:name".
CREATE TABLE things (
  id TEXT PRIMARY KEY, size INTEGER NOT NULL DEFAULT 0, created REAL NOT NULL, used REAL NOT NULL
) WITHOUT ROWID;
-- source keeps target alive; both are things.
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
CREATE TABLE records (key TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE listings (root TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE traces (
  site TEXT NOT NULL, slot TEXT NOT NULL, key TEXT NOT NULL, made REAL NOT NULL, facts BLOB NOT NULL,
  PRIMARY KEY (site, slot, key)
) WITHOUT ROWID;
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
        try:
            with self._translated():
                self._connection.execute("PRAGMA synchronous = NORMAL")
                if self._version() != SCHEMA_VERSION:
                    self._prepare()
        except BaseException:
            self._connection.close()
            raise

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """One writing transaction: committed at the end, rolled back when the block or the commit fails.

        Not reentrant.  No other process writes while the block runs, so it must not wait for anything.
        """
        with self._lock, self._translated():
            if self._connection.in_transaction:
                raise RuntimeError("a writing transaction inside another one")
            try:
                self._connection.execute("BEGIN IMMEDIATE")
                yield self._connection
                self._connection.execute("COMMIT")
            except BaseException:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """The connection, for statements that only read; each sees the last commit."""
        with self._lock, self._translated():
            yield self._connection

    def shrink(self) -> None:
        """Give the room of deleted rows back to the disk."""
        with self._lock, self._translated():
            # Not ``execute``: that takes one step, and each step gives back one page.
            self._connection.executescript("PRAGMA incremental_vacuum; PRAGMA wal_checkpoint(TRUNCATE)")

    def close(self) -> None:
        """Close the connection; whatever is used after raises ``StoreError``."""
        with self._lock:
            self._connection.close()

    def _version(self) -> int:
        found: int = self._connection.execute("PRAGMA user_version").fetchone()[0]
        return found

    def _prepare(self) -> None:
        # SQLite does not wait for another process that turns the same new file to WAL; so they go one by one.
        with _locked_directory(os.path.dirname(self._path)):
            version = self._version()
            if version == SCHEMA_VERSION:
                return
            if version != 0:
                raise StoreError(
                    f"The store at {self._path} has schema version {version}, not {SCHEMA_VERSION}.",
                    hint="use the version that made it, or point DOCKERCEPTION_HOME at another directory",
                )
            self._connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
            self._connection.execute("PRAGMA journal_mode = WAL")
            with self.writing() as connection:
                for statement in _SCHEMA.split(";\n"):
                    connection.execute(statement)
                connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise _store_error(error, self._path) from error


def _store_error(error: sqlite3.Error, path: str) -> StoreError:
    """The store's error for one of SQLite's (result codes: https://www.sqlite.org/rescode.html)."""
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if code == sqlite3.SQLITE_FULL or (code == sqlite3.SQLITE_IOERR and _is_full(path)):
        return DiskFullError(f"The disk is full: there is no room for the store's database {path}.", hint=FREE_SPACE)
    if code == sqlite3.SQLITE_IOERR:
        return DiskFailedError(f"The disk fails: the store's database {path} can't be used, {error}.", hint=BROKEN_DISK)
    if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return StoreError(
            f"The store's database {path} has been busy for {_BUSY_SECONDS:.0f} s.",
            hint="try again; is its disk very slow, or does a process that uses it hang?",
        )
    if code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
        return StoreError(
            f"The store's database {path} is damaged ({error}).",
            hint="move the store's directory away; what was in it can be built or loaded again",
        )
    if code in (sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM):
        return StoreError(
            f"The store's database {path} can't be written ({error}).",
            hint="is the directory yours and writable? DOCKERCEPTION_HOME can name another one",
        )
    return StoreError(
        f"The store's database {path} can't be used ({error}).",
        hint="DOCKERCEPTION_HOME can name another directory, on a local disk",
    )


def _is_full(path: str) -> bool:
    try:
        status = os.statvfs(os.path.dirname(path))
    except OSError:
        return False
    return status.f_bavail * status.f_frsize < 1 << 16


@contextmanager
def _locked_directory(path: str) -> Iterator[None]:
    with disk_errors("making the store"):
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        with disk_errors("making the store"):
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
