"""The build cache: what a key stands for, and what that keeps alive.

Values are opaque bytes to this room.  A record exists as long as everything that it refers to exists; whether the
files behind it are still complete is for the reader to check.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from .database import Database, put_thing, touch
from .lease import Lease


class Record(msgspec.Struct, frozen=True):
    """A cache record: a key (64 hex digits), what it stands for, what that keeps alive, and the key's parts."""

    key: str
    value: bytes
    keeps: tuple[str, ...] = ()
    parts: bytes = b""


class Records:
    """Cache records by key."""

    def __init__(self, database: Database, lease: Lease) -> None:
        self._database = database
        self._lease = lease

    def get(self, key: str) -> bytes | None:
        """The value of a key, and a hold on what it keeps alive; None on a miss."""
        with self._database.writing() as connection:
            row = connection.execute("SELECT value FROM records WHERE key = ?", (key,)).fetchone()
            if row is None:
                return None
            self._lease.hold(connection, f"record:{key}")
            touch(connection, f"record:{key}")
        value: bytes = row[0]
        return value

    def put(self, records: Sequence[Record]) -> None:
        """Add or replace records, all in one transaction."""
        with self._database.writing() as connection:
            for record in records:
                thing = f"record:{record.key}"
                connection.execute(
                    "INSERT OR REPLACE INTO records VALUES (?, ?, ?)", (record.key, record.value, record.parts)
                )
                connection.execute("DELETE FROM refs WHERE source = ?", (thing,))
                put_thing(connection, thing, size=len(record.value) + len(record.parts), keeps=record.keeps)
                self._lease.hold(connection, thing)

    def parts(self, key: str) -> bytes | None:
        """The stored parts of a key."""
        with self._database.reading() as connection:
            row = connection.execute("SELECT parts FROM records WHERE key = ?", (key,)).fetchone()
        return None if row is None else row[0]


class Listings:
    """What a context directory's files were when they were last hashed, so that unchanged ones are not read again."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def load(self, root: str) -> bytes:
        """What was saved for this directory; nothing where nothing was."""
        with self._database.reading() as connection:
            row = connection.execute("SELECT value FROM listings WHERE root = ?", (root,)).fetchone()
        return b"" if row is None else row[0]

    def save(self, root: str, data: bytes) -> None:
        """Remember a listing; the last writer wins, which only costs the others a reading."""
        with self._database.writing() as connection:
            connection.execute("INSERT OR REPLACE INTO listings VALUES (?, ?)", (root, data))
