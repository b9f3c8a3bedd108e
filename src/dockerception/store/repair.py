"""Making a damaged store whole again: what has lost its bytes is forgotten, with everything that needs it.

What is forgotten is built, pulled or loaded again when it is next wanted; a layer that has another face left stays.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable

from . import graph, layer_rows
from .disk import disk_errors
from .layers import Layers
from .ledger import Ledger, Transaction
from .verify import Flaw

PathOf = Callable[[str], str]


class Repairer:
    """Repairs one store; ``blob_path`` and ``spool_path`` say where the file of a digest is."""

    def __init__(self, ledger: Ledger, layers: Layers, blob_path: PathOf, spool_path: PathOf) -> None:
        self._ledger = ledger
        self._layers = layers
        self._files = {"blob": blob_path, "context": spool_path}

    def repair(self, flaws: Iterable[Flaw]) -> tuple[str, ...]:
        """Forget what these flaws have made useless; returns the ids of everything that was forgotten.

        Damaged files are removed; a prune gives back the room of the rest.  All rows change in one transaction.
        """
        damaged = {flaw.thing for flaw in flaws if flaw.kind == "damage" and flaw.thing}
        with self._ledger.writing() as transaction, disk_errors("removing damaged files"):
            for thing in damaged:
                self._remove_file(thing)
            lost = self._lost(transaction, damaged)
            needing = graph.reversed_edges(graph.read(transaction).targets)
            forgotten = sorted(graph.reached(needing, lost))
            for thing in forgotten:
                transaction.forget(thing)
        return tuple(forgotten)

    def _remove_file(self, thing: str) -> None:
        kind, _, digest = thing.partition(":")
        path_of = self._files.get(kind)
        if path_of is not None and os.path.exists(path_of(digest)):
            os.unlink(path_of(digest))

    def _lost(self, transaction: Transaction, damaged: set[str]) -> set[str]:
        """What is damaged, but for layers that have another face left, which is written down."""
        lost = set(damaged)
        for row in transaction.connection.execute(layer_rows.ALL).fetchall():
            layer = layer_rows.read(row)
            thing = f"layer:{layer.layer}"
            if thing in damaged or not damaged.isdisjoint(transaction.keeps(thing)):
                if self._layers.mend(transaction, layer):
                    lost.discard(thing)
                else:
                    lost.add(thing)
        return lost
