"""The ladder of stacking: how layers become one root file system, and what a run changed becomes an upper directory.

``overlay`` mounts the layers' trees; ``copied`` copies them, where nothing can be mounted or the store's file system
can't carry an overlay.  Both give the same files and, for the same changes, the same layer.
"""

from __future__ import annotations

from typing import Protocol

import msgspec


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """Layers to show (names in the directory ``trees``, bottom first), and what becomes of changes.

    ``upper`` receives them when the stack settles; it is made where missing, with the attributes of the topmost
    layer's root.  ``work`` is empty or missing and of no use afterwards.  Both lie on the store's file system.  With
    ``is_thrown_away`` nobody looks at ``upper``; with ``is_readonly`` there are none of the two.

    ``keep`` is a directory of the store in which a copy may be left for the next run, until the sandbox is closed.

    Where the stack is shown: ``mounted`` is a directory for a mount to be on, ``copied`` a path where nothing is, on
    the store's file system.
    """

    trees: str
    layers: tuple[str, ...]
    mounted: str
    copied: str
    upper: str = ""
    work: str = ""
    keep: str = ""
    is_thrown_away: bool = False
    is_readonly: bool = False


class Stack(Protocol):
    """Layers shown as one tree."""

    @property
    def root(self) -> str:
        """The absolute path of the tree."""

    def settle(self) -> None:
        """End it: nothing is shown any more, and the changes lie in the upper directory."""
