"""The graph of what keeps what alive, as a whole, for those who decide what may go."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import msgspec

from .ledger import Transaction

Edges = Mapping[str, Sequence[str]]


class Graph(msgspec.Struct, frozen=True, kw_only=True):
    """All things: the bytes each takes by itself, when it was used, and what it keeps alive by itself."""

    sizes: Mapping[str, int]
    uses: Mapping[str, float]
    targets: Edges

    @property
    def names(self) -> list[str]:
        """The things that are names."""
        return [thing for thing in self.uses if thing.startswith("name:")]


def read(transaction: Transaction) -> Graph:
    """The graph as it is inside a transaction."""
    rows = transaction.connection.execute("SELECT id, size, used FROM things ORDER BY id").fetchall()
    targets: dict[str, list[str]] = {}
    for source, target in transaction.connection.execute("SELECT source, target FROM refs"):
        targets.setdefault(source, []).append(target)
    return Graph(
        sizes={thing: size for thing, size, _ in rows}, uses={thing: used for thing, _, used in rows}, targets=targets
    )


def reached(edges: Edges, roots: Iterable[str]) -> set[str]:
    """The roots, and everything that edges lead to from there."""
    found: set[str] = set()
    waiting = list(roots)
    while waiting:
        thing = waiting.pop()
        if thing not in found:
            found.add(thing)
            waiting += edges.get(thing, ())
    return found


def reversed_edges(edges: Edges) -> Edges:
    """The edges from what is needed to what needs it."""
    found: dict[str, list[str]] = {}
    for source, targets in edges.items():
        for target in targets:
            found.setdefault(target, []).append(source)
    return found
