"""Shows a process that only changes its root what a container would have mounted, and puts everything back.

With a mount namespace these are mounts (``binds``); without one the things themselves are moved in (``swaps``).
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final, Protocol

from ...errors import MachineError
from ..mounts import Placed
from ..worker import Session
from . import Ground

DEVICES: Final = {"full": (1, 7), "null": (1, 3), "random": (1, 8), "tty": (5, 0), "urandom": (1, 9), "zero": (1, 5)}
"""The nodes of a container's ``/dev`` and their numbers (Linux, devices.txt)."""


LINKS: Final = {"fd": "/proc/self/fd", "stdin": "fd/0", "stdout": "fd/1", "stderr": "fd/2"}

_FOR_EVERYBODY: Final = 0o666
_SHARED: Final = 0o1777


class Way(Protocol):
    """A way to show things in a root directory, one after the other."""

    def show_system(self) -> None:
        """Show ``/dev``, ``/proc`` and ``/sys``, as far as possible."""

    def show(self, placed: Placed) -> None:
        """Show one mount of the request at its target."""

    def undo(self) -> None:
        """End everything that has been shown."""


@contextmanager
def shown(ground: Ground, session: Session) -> Iterator[None]:
    """Everything that the request wants to be shown, for the duration of the block."""
    way = _way(ground, session)
    try:
        way.show_system()
        for placed in ground.shown:
            way.show(placed)
        yield
    finally:
        way.undo()


def _way(ground: Ground, session: Session) -> Way:
    if session.has_namespaces:
        from .binds import Binds

        return Binds(ground, session.mounts)
    from .swaps import Swaps

    return Swaps(ground)


def make_devices(folder: str) -> None:
    """Make a ``/dev`` of nodes where nothing can be mounted.  Raises ``MachineError`` where nodes can't be opened."""
    os.mkdir(folder, 0o755)
    for name, (major, minor) in DEVICES.items():
        os.mknod(f"{folder}/{name}", stat.S_IFCHR, os.makedev(major, minor))
        os.chmod(f"{folder}/{name}", _FOR_EVERYBODY)
    for name, target in LINKS.items():
        os.symlink(target, f"{folder}/{name}")
    os.mkdir(f"{folder}/shm")
    os.chmod(f"{folder}/shm", _SHARED)
    try:
        os.close(os.open(f"{folder}/null", os.O_RDWR | os.O_CLOEXEC))
    except OSError as error:
        raise MachineError(
            f"Device nodes of the store's disk can't be opened: {error.strerror}.",
            hint="the store lies on a file system that is mounted “nodev”; set DOCKERCEPTION_HOME to another one",
        ) from error
