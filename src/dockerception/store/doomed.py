"""Which things may go.  Decided and recorded in one transaction, so that a lookup comes before it or after it."""

from __future__ import annotations

import os
import time
from typing import Final

from . import graph
from .lease import held_things
from .ledger import USE_GRAIN, Transaction

_TRACES_KEPT: Final = 30 * 86400.0  # seconds; what was pruned is remembered a while, to be told


def forget_doomed(transaction: Transaction, root: str, *, everything: bool, before: float) -> list[str]:
    """Delete the rows of everything that may go; returns the ids.

    A thing stays that a name or a live lease reaches, or something that may have been used after ``before`` (seconds
    since the epoch).  A cache record stays, unless ``everything``, if all that it led to stays anyway.  So do cache
    mounts, unless ``everything``.
    """
    found = graph.read(transaction)
    recent = (thing for thing, used in found.uses.items() if used + USE_GRAIN > before)
    reached = graph.reached(found.targets, [*held_things(root), *found.names, *recent])

    def may_go(thing: str) -> bool:
        if thing in reached:
            return False
        kind = thing.partition(":")[0]
        if everything or kind not in ("record", "mount"):
            return True
        return kind == "record" and not (thing in found.targets and reached.issuperset(found.targets[thing]))

    doomed = [thing for thing in found.uses if may_go(thing)]
    for thing in doomed:
        transaction.forget(thing)
    _forget_listings(transaction, everything=everything)
    transaction.connection.execute("DELETE FROM traces WHERE made < ?", (time.time() - _TRACES_KEPT,))
    return doomed


def _forget_listings(transaction: Transaction, *, everything: bool) -> None:
    """Delete what is remembered of directories that are gone, or of all."""
    roots = [row[0] for row in transaction.connection.execute("SELECT root FROM listings")]
    gone = [root for root in roots if everything or not os.path.isdir(root)]
    transaction.connection.executemany("DELETE FROM listings WHERE root = ?", [(root,) for root in gone])
