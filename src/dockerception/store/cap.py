"""The size cap of a store: of what may go, the least recently used goes until the rest fits.

What a name or a live lease reaches is never chosen, so a store may be larger than its cap.  Sizes are what is recorded
of things: the room that a tree or a file took on the disk when it was placed.
"""

from __future__ import annotations

import msgspec

from .graph import Graph, reached, read, reversed_edges
from .lease import held_things
from .ledger import USE_GRAIN, Transaction


class Spare(msgspec.Struct, frozen=True):
    """A thing that may go, and the bytes that it takes by itself."""

    thing: str
    size: int


class Holdings(msgspec.Struct, frozen=True):
    """What a store has: the bytes of all of it, and the things that may go, the least recently used first."""

    total: int
    spares: tuple[Spare, ...]

    def excess(self, limit: int) -> int:
        """How many bytes too many there are for a cap of ``limit``, as far as they can go."""
        return max(0, min(self.total - limit, sum(spare.size for spare in self.spares)))


def holdings(transaction: Transaction, root: str) -> Holdings:
    """What there is, and what of it neither a name nor a live lease reaches."""
    return _holdings(read(transaction), root)


def forget_oldest(transaction: Transaction, root: str, *, limit: int, before: float) -> list[str]:
    """Delete the rows of what has to go for the store to have at most ``limit`` bytes; returns the ids.

    What may have been used after ``before`` (seconds since the epoch) stays, with what that needs.
    """
    graph = read(transaction)
    found = _holdings(graph, root)
    spared = reached(graph.targets, (thing for thing, used in graph.uses.items() if used + USE_GRAIN > before))
    needing = reversed_edges(graph.targets)
    excess = found.excess(limit)
    gone: dict[str, None] = {}
    for spare in found.spares:
        if excess <= 0:
            break
        if spare.thing in gone or spare.thing in spared:
            continue
        for thing in reached(needing, [spare.thing]) - gone.keys():
            gone[thing] = None
            excess -= graph.sizes.get(thing, 0)
            transaction.forget(thing)
    return list(gone)


def _holdings(graph: Graph, root: str) -> Holdings:
    kept = reached(graph.targets, [*held_things(root), *graph.names])

    def may_go(thing: str) -> bool:
        # A record of what stays anyway gives no room, and its loss would cost a step.
        is_free = thing.startswith("record:") and thing in graph.targets and kept.issuperset(graph.targets[thing])
        return thing not in kept and not is_free

    spares = tuple(Spare(thing, graph.sizes[thing]) for thing in _oldest_first(graph) if may_go(thing))
    return Holdings(sum(graph.sizes.values()), spares)


def _oldest_first(graph: Graph) -> list[str]:
    """All things by their last use; what keeps a thing uses it too."""
    last: dict[str, float] = {}
    for user in sorted(graph.uses, key=graph.uses.__getitem__, reverse=True):
        waiting = [user]
        while waiting:
            thing = waiting.pop()
            if thing not in last and thing in graph.uses:
                last[thing] = graph.uses[user]
                waiting += graph.targets.get(thing, ())
    return sorted(last, key=last.__getitem__)
