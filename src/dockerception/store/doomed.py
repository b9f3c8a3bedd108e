"""Which things may go.  Decided and recorded in one transaction, so that a lookup comes before it or after it."""

from __future__ import annotations

import os
from collections.abc import Iterable

from .lease import held_things
from .ledger import USE_GRAIN, Transaction

Refs = dict[str, list[str]]


def forget_doomed(transaction: Transaction, root: str, *, everything: bool, before: float) -> list[str]:
    """Delete the rows of everything that may go; returns the ids.

    A thing stays that a name or a live lease reaches, or something that may have been used after ``before`` (seconds
    since the epoch).  A cache record stays, unless ``everything``, if all that it led to stays anyway.  So do cache
    mounts, unless ``everything``.
    """
    uses = dict(transaction.connection.execute("SELECT id, used FROM things ORDER BY id").fetchall())
    refs = _refs(transaction)
    recent = (thing for thing, used in uses.items() if used + USE_GRAIN > before)
    names = (thing for thing in uses if thing.startswith("name:"))
    reached = _reached(refs, [*held_things(root), *names, *recent])

    def may_go(thing: str) -> bool:
        if thing in reached:
            return False
        kind = thing.partition(":")[0]
        if everything or kind not in ("record", "mount"):
            return True
        return kind == "record" and not (thing in refs and reached.issuperset(refs[thing]))

    doomed = [thing for thing in uses if may_go(thing)]
    for thing in doomed:
        transaction.forget(thing)
    _forget_listings(transaction, everything=everything)
    return doomed


def _refs(transaction: Transaction) -> Refs:
    refs: Refs = {}
    for source, target in transaction.connection.execute("SELECT source, target FROM refs"):
        refs.setdefault(source, []).append(target)
    return refs


def _reached(refs: Refs, roots: Iterable[str]) -> set[str]:
    reached: set[str] = set()
    waiting = list(roots)
    while waiting:
        thing = waiting.pop()
        if thing not in reached:
            reached.add(thing)
            waiting += refs.get(thing, ())
    return reached


def _forget_listings(transaction: Transaction, *, everything: bool) -> None:
    """Delete what is remembered of directories that are gone, or of all."""
    roots = [row[0] for row in transaction.connection.execute("SELECT root FROM listings")]
    gone = [root for root in roots if everything or not os.path.isdir(root)]
    transaction.connection.executemany("DELETE FROM listings WHERE root = ?", [(root,) for root in gone])
