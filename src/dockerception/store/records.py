"""The build cache: what a key stands for, and what that keeps alive.

Values are opaque bytes to this room.  A record exists as long as everything that it refers to exists; whether the
files behind it are still complete is for the reader to check.
"""

from __future__ import annotations

import os
from collections.abc import Sequence

import msgspec

from .database import Database
from .ledger import Ledger, Transaction


class Record(msgspec.Struct, frozen=True):
    """A cache record: a key (64 hex digits), what it stands for, and what that keeps alive."""

    key: str
    value: bytes
    keeps: tuple[str, ...] = ()


class Records:
    """Cache records by key."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    def get(self, key: str) -> bytes | None:
        """The value of a key, and a hold on everything that it keeps alive; None on a miss."""
        row = self._ledger.find(f"record:{key}", "SELECT value FROM records WHERE key = ?", (key,))
        return None if row is None else row[0]

    def put(self, records: Sequence[Record]) -> None:
        """Add or replace records, all in one transaction.

        A record that keeps what is not there any more (an image that somebody removed during the build) is left out.
        """
        with self._ledger.writing() as transaction:
            for record in records:
                thing = f"record:{record.key}"
                if not all(map(transaction.has, record.keeps)):
                    transaction.forget(thing)
                    continue
                if not _is_there(transaction, record):
                    transaction.connection.execute(
                        "INSERT OR REPLACE INTO records VALUES (?, ?)", (record.key, record.value)
                    )
                    transaction.put(thing, size=len(record.value), keeps=record.keeps)
                transaction.hold(thing)


def _is_there(transaction: Transaction, record: Record) -> bool:
    found = transaction.connection.execute("SELECT value FROM records WHERE key = ?", (record.key,)).fetchone()
    return found == (record.value,) and transaction.keeps(f"record:{record.key}") == set(record.keeps)


class Listings:
    """What a context directory's files were when they were last hashed, so that unchanged ones are not read again."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def load(self, root: str) -> bytes:
        """What was saved for this directory; nothing where nothing was."""
        with self._database.reading() as connection:
            row = connection.execute("SELECT value FROM listings WHERE root = ?", (_key(root),)).fetchone()
        return b"" if row is None else row[0]

    def save(self, root: str, data: bytes) -> None:
        """Remember a listing; the last writer wins, which only costs the others a reading."""
        with self._database.writing() as connection:
            connection.execute("INSERT OR REPLACE INTO listings VALUES (?, ?)", (_key(root), data))


def _key(root: str) -> str:
    """A directory's name as SQLite takes it: names that are not UTF-8 have escapes that it refuses."""
    return os.fsencode(root).decode(errors="backslashreplace")
