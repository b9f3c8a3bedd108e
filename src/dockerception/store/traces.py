"""What steps were made of when they were last done, so that a later build can say why it does one again.

A trace is no cache record: nothing is looked up by it, it keeps nothing alive, and it outlives what was pruned, for
“pruned” is one of the answers.
"""

from __future__ import annotations

import time
from typing import Final

import msgspec

from .ledger import Ledger

_KEPT: Final = 4


class Trace(msgspec.Struct, frozen=True):
    """A step as it was done: its place among those of its site, its key, and what it was made of, in bytes that mean
    nothing to this room."""

    slot: str
    key: str
    facts: bytes


class Traces:
    """The traces of each site: what is one thing across builds, a stage of a Dockerfile in some directory, say."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    def keep(self, site: str, trace: Trace) -> None:
        """Add or renew a trace; of each slot the last four stay."""
        with self._ledger.writing() as transaction:
            execute = transaction.connection.execute
            row = (site, trace.slot, trace.key, time.time(), trace.facts)
            execute("INSERT OR REPLACE INTO traces VALUES (?, ?, ?, ?, ?)", row)
            execute(
                "DELETE FROM traces WHERE site = ?1 AND slot = ?2 AND key NOT IN"
                " (SELECT key FROM traces WHERE site = ?1 AND slot = ?2 ORDER BY made DESC LIMIT ?3)",
                (site, trace.slot, _KEPT),
            )

    def of(self, site: str) -> list[Trace]:
        """All traces of a site, the newest first."""
        statement = "SELECT slot, key, facts FROM traces WHERE site = ? ORDER BY made DESC"
        return [Trace(*row) for row in self._ledger.rows(statement, (site,))]
