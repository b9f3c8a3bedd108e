"""Cache mounts of a RUN: which directories of the store they are, and for how long they are this RUN's."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Final

from ...dockerfile import instructions as ins
from ...sandbox.messages import Mount
from ...store.mounts import Sharing
from ...store.store import Store
from . import configuring
from .pending import Stop

_STRICTEST_FIRST: Final[tuple[Sharing, ...]] = ("locked", "private", "shared")


@contextmanager
def mounted(mounts: Sequence[ins.Mount], working_dir: str, store: Store, stop: Stop) -> Iterator[tuple[Mount, ...]]:
    """What to mount, for the duration of the block.  Waits for locked caches; raises ``StoppedError``."""
    names = [mount.id or _target(mount, working_dir) for mount in mounts]
    with ExitStack() as held:
        # In one order everywhere, each once: RUNs that lock the same caches must not wait for each other, or for
        # themselves, for ever.
        directories = {
            name: held.enter_context(store.mounts.use(name, _sharing(name, names, mounts), stop.check))
            for name in sorted(set(names))
        }
        yield tuple(
            Mount(
                kind="cache",
                target=_target(mount, working_dir),
                source=directories[name],
                is_readonly=mount.is_read_only,
                mode=0o755 if mount.mode is None else mount.mode,
                uid=mount.uid or 0,
                gid=mount.gid or 0,
            )
            for name, mount in zip(names, mounts, strict=True)
        )


def _target(mount: ins.Mount, working_dir: str) -> str:
    return configuring.absolute(mount.target, working_dir)


def _sharing(name: str, names: Sequence[str], mounts: Sequence[ins.Mount]) -> Sharing:
    """The strictest that a RUN asks of one cache; ``shared`` where it asks nothing."""
    asked = {mount.sharing for other, mount in zip(names, mounts, strict=True) if other == name}
    return next((sharing for sharing in _STRICTEST_FIRST if sharing in asked), "shared")
