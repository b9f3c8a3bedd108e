"""The graph of what keeps what alive, and what this process holds in it.

A thing is ``kind:name``.  Names and live leases are the roots; ``prune`` deletes what they do not reach.  A lookup and
its hold are one transaction, so nothing that was found can be pruned under its finder's hands; what is held already
needs no transaction again, because it can't go while the lease lives.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final

from .database import Database
from .lease import Lease

USE_GRAIN: Final = 600.0
"""Seconds: a use within this time of the one that is recorded is not recorded, because writing costs a build that has
nothing to do more than all its lookups."""

_REACHED_FROM: Final = """
WITH RECURSIVE reached (id) AS (
  VALUES (?1) UNION SELECT target FROM refs JOIN reached ON refs.source = reached.id
)
SELECT reached.id, things.used FROM reached LEFT JOIN things ON things.id = reached.id
"""
_DELETE_FACTS: Final = {
    "layer": "DELETE FROM layers WHERE layer = ?",
    "image": "DELETE FROM images WHERE config = ?",
    "record": "DELETE FROM records WHERE key = ?",
    "name": "DELETE FROM names WHERE name || ' ' || platform = ?",
}

Row = tuple[Any, ...]


class Transaction:
    """A writing transaction: ``connection`` for the statements of a room, the methods for the graph."""

    def __init__(self, connection: sqlite3.Connection, lease: Lease, already_held: set[str]) -> None:
        self.connection = connection
        self.newly_held: set[str] = set()
        self.has_grown = False
        self._lease = lease
        self._already_held = already_held
        self._now = time.time()

    def has(self, thing: str) -> bool:
        """Whether the thing exists."""
        return self.connection.execute("SELECT 1 FROM things WHERE id = ?", (thing,)).fetchone() is not None

    def keeps(self, thing: str) -> set[str]:
        """What a thing keeps alive by itself."""
        return {row[0] for row in self.connection.execute("SELECT target FROM refs WHERE source = ?", (thing,))}

    def put(self, thing: str, *, size: int | None = None, keeps: Iterable[str] = ()) -> None:
        """Record a thing, the room that it takes by itself in bytes (None: what is known, at first nothing), and
        exactly what it keeps alive from now on; again: its use time is renewed."""
        self.has_grown |= bool(size)
        self.connection.execute(
            "INSERT INTO things VALUES (?1, coalesce(?2, 0), ?3, ?3)"
            " ON CONFLICT (id) DO UPDATE SET size = coalesce(?2, size), used = ?3",
            (thing, size, self._now),
        )
        self.connection.execute("DELETE FROM refs WHERE source = ?", (thing,))
        self.connection.executemany("INSERT OR IGNORE INTO refs VALUES (?, ?)", [(thing, each) for each in keeps])

    def hold(self, thing: str) -> None:
        """Keep a thing alive until the lease ends, with all that it reaches now; and note that it was used."""
        rows = self.connection.execute(_REACHED_FROM, (thing,)).fetchall()
        fresh = [row for row in rows if row[0] not in self._already_held]
        self._lease.hold(row[0] for row in fresh)
        self.newly_held.update(row[0] for row in fresh)
        stale = [(self._now, row[0]) for row in fresh if row[1] is not None and abs(self._now - row[1]) > USE_GRAIN]
        if stale:
            self.connection.executemany("UPDATE things SET used = ? WHERE id = ?", stale)

    def forget(self, thing: str) -> None:
        """Remove a thing, what it kept alive by itself, and the cache records that led to it."""
        records = self.connection.execute(
            "SELECT source FROM refs WHERE target = ? AND source GLOB 'record:*'", (thing,)
        ).fetchall()
        for each in [thing, *(row[0] for row in records)]:
            kind, _, name = each.partition(":")
            self.connection.execute("DELETE FROM things WHERE id = ?", (each,))
            self.connection.execute("DELETE FROM refs WHERE source = ?", (each,))
            if kind in _DELETE_FACTS:
                self.connection.execute(_DELETE_FACTS[kind], (name,))


class Ledger:
    """The database as the rooms of the store use it, under one process's lease."""

    def __init__(self, database: Database, lease: Lease) -> None:
        self._database = database
        self._lease = lease
        self._held: set[str] = set()
        self.has_grown = False
        """Whether this process has recorded anything that takes room."""

    @contextmanager
    def writing(self) -> Iterator[Transaction]:
        """One writing transaction; see ``Database.writing``."""
        with self._database.writing() as connection:
            transaction = Transaction(connection, self._lease, self._held)
            yield transaction
        # Only now: what a transaction found that was rolled back may not be there.
        self._held |= transaction.newly_held
        self.has_grown |= transaction.has_grown

    def rows(self, statement: str, parameters: Sequence[object] = ()) -> list[Row]:
        """What a statement that only reads gives."""
        with self._database.reading() as connection:
            return connection.execute(statement, parameters).fetchall()

    def find(self, thing: str, statement: str, parameters: Sequence[object]) -> Row | None:
        """The first row of a statement that looks a thing up; where there is one, the thing is held."""
        row = next(iter(self.rows(statement, parameters)), None)
        if row is None or thing in self._held:
            return row
        with self.writing() as transaction:
            found: Row | None = transaction.connection.execute(statement, parameters).fetchone()
            if found is not None:
                transaction.hold(thing)
        return found

    def hold_all(self, things: Iterable[str]) -> None:
        """Hold what there is of these things, in one transaction."""
        missing = [thing for thing in things if thing not in self._held]
        if missing:
            with self.writing() as transaction:
                for thing in filter(transaction.has, missing):
                    transaction.hold(thing)
