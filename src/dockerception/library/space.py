"""The room that a store takes on the disk, and how to get it back."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

import msgspec

from .. import sizes, user_config
from ..errors import StoreError
from ..store.mounts import LOCK_SUFFIX
from ..store.prune import Pruned
from ..store.removal import remove_tree
from ..store.store import Store
from ..store.usage import disk_usage

if TYPE_CHECKING:
    from ..sandbox.client import Sandbox

# Kinds in the order of the list, the folders of the store that hold them, and what the ledger calls them.
_FOLDERS: Final = (
    ("layer trees", "trees", "layer"),
    ("blobs", "blobs/sha256", "blob"),
    ("contexts", "contexts", "context"),
    ("cache mounts", "caches", "mount"),
    ("unfinished", "tmp", ""),
    ("logs", "logs", ""),
)

_VARIABLE: Final = "DOCKERCEPTION_KEEP_STORAGE"


class Usage(msgspec.Struct, frozen=True, kw_only=True):
    """What one kind of thing takes: how many there are, their bytes on the disk, and those of them that may go."""

    kind: str
    count: int
    size: int
    reclaimable: int = 0


class Cap(msgspec.Struct, frozen=True):
    """The most that a store should have, in bytes, and where that is said."""

    limit: int
    origin: str


def usage(store: Store) -> list[Usage]:
    """The room that each kind of thing takes.  The sizes add up to what the disk says of the store's directory.

    What this user may not read (files of other owners in trees) counts nothing.
    """
    spare: dict[str, int] = {}
    for each in store.pruner.holdings().spares:
        kind = each.thing.partition(":")[0]
        spare[kind] = spare.get(kind, 0) + each.size
    found = [_measure(kind, os.path.join(store.root, folder), spare.get(thing, 0)) for kind, folder, thing in _FOLDERS]
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


def make_room(store: Store, limit: int, *, older_than: float = 0.0) -> Pruned:
    """Delete what was used least recently until the store has at most ``limit`` bytes; ``older_than`` as for ``prune``.

    What a name leads to, or a running build uses, stays, even if the store is too large then.
    """
    remover = _Remover(store.root)
    try:
        return store.pruner.make_room(limit, older_than=older_than, remove=remover.remove)
    finally:
        remover.close()


def cap(store: Store, wanted: int | None = None) -> Cap:
    """The cap of a store: what is wanted, else what the environment or the config file says, else a tenth of its disk.

    Raises ``UsageError`` for what is no size there.
    """
    if wanted is not None:
        return Cap(wanted, "--keep-storage")
    variable = os.environ.get(_VARIABLE, "")
    if variable:
        return Cap(sizes.cap(variable), _VARIABLE)
    config = user_config.load()
    if config.keep_storage is not None:
        return Cap(config.keep_storage, config.path)
    disk = os.statvfs(store.root)
    return Cap(disk.f_blocks * disk.f_frsize // 10, "a tenth of the disk")


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
                from ..sandbox.client import Sandbox

                self._sandbox = Sandbox(self._root)
            self._sandbox.delete([path])

    def close(self) -> None:
        if self._sandbox is not None:
            self._sandbox.close()


def _measure(kind: str, folder: str, reclaimable: int) -> Usage:
    things = [name for name in os.listdir(folder) if not name.endswith(LOCK_SUFFIX)]
    return Usage(kind=kind, count=len(things), size=disk_usage(folder), reclaimable=reclaimable)
