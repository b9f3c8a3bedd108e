"""The room that a store takes on the disk, and how to get it back."""

from __future__ import annotations

import os
from typing import Final

import msgspec

from ..errors import StoreError
from ..sandbox.client import Sandbox
from ..store.mounts import LOCK_SUFFIX
from ..store.prune import Pruned
from ..store.removal import remove_tree
from ..store.store import Store
from ..store.usage import disk_usage

# Kinds in the order of the list, and the folders of the store that hold them.
_FOLDERS: Final = (
    ("layer trees", "trees"),
    ("blobs", "blobs/sha256"),
    ("contexts", "contexts"),
    ("cache mounts", "caches"),
    ("unfinished", "tmp"),
    ("logs", "logs"),
)


class Usage(msgspec.Struct, frozen=True, kw_only=True):
    """What one kind of thing takes: how many there are, and their bytes on the disk."""

    kind: str
    count: int
    size: int


def usage(store: Store) -> list[Usage]:
    """The room that each kind of thing takes.  The sizes add up to what the disk says of the store's directory.

    What this user may not read (files of other owners in trees) counts nothing.
    """
    found = [_measure(kind, os.path.join(store.root, folder)) for kind, folder in _FOLDERS]
    rest = disk_usage(store.root) - sum(each.size for each in found)
    own = [name for name in os.listdir(store.root) if os.path.isfile(os.path.join(store.root, name))]
    return [*found, Usage(kind="database", count=len(own), size=rest)]


def prune(store: Store, *, everything: bool = False, older_than: float = 0.0) -> Pruned:
    """Delete what no name, and no running build, needs: images without a name, their layers, and cache records.

    ``everything`` deletes the whole build cache too, with cache mounts; ``older_than`` (seconds) spares what was used
    more recently.
    """
    remover = _Remover(store.root)
    try:
        return store.pruner.prune(everything=everything, older_than=older_than, remove=remover.remove)
    finally:
        remover.close()


class _Remover:
    """Removes trees as this user where that is enough, else in the sandbox, where all owners are ours."""

    def __init__(self, root: str) -> None:
        self._root = root
        self._sandbox: Sandbox | None = None

    def remove(self, path: str) -> None:
        try:
            remove_tree(path)
        except StoreError:
            if os.geteuid() == 0:
                raise
            if self._sandbox is None:
                self._sandbox = Sandbox(self._root)
            self._sandbox.delete([path])

    def close(self) -> None:
        if self._sandbox is not None:
            self._sandbox.close()


def _measure(kind: str, folder: str) -> Usage:
    things = [name for name in os.listdir(folder) if not name.endswith(LOCK_SUFFIX)]
    return Usage(kind=kind, count=len(things), size=disk_usage(folder))
