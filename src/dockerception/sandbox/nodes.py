"""Device nodes that a run is given: the machine's own, or others with their numbers.

Whatever else a container sees is ``nodev``, so it can open these only, besides those of every ``/dev``.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable

from ..errors import MachineError
from . import linux
from .messages import Mount
from .spec import MACHINE_NODES
from .worker import Session


def prepare(mount: Mount, name: str, session: Session) -> str:
    """The path of the node to show.  Where none can be made (in a user namespace), the machine's has the owner and mode
    that it has."""
    if mount.mode is None and not (mount.uid or mount.gid):
        return mount.source
    folder = f"{session.mounts}/node-{name}"
    os.mkdir(folder, 0o700)
    if session.has_namespaces:
        linux.mount("tmpfs", folder, "tmpfs", linux.MS_NOSUID | linux.MS_NOEXEC, "mode=700,size=4k")
    path = f"{folder}/node"
    try:
        copy(mount.source, path)
    except MachineError:
        return mount.source
    os.chown(path, mount.uid, mount.gid)
    if mount.mode is not None:
        os.chmod(path, mount.mode)
    return path


def own(names: Iterable[str], mounts: str) -> str:
    """A directory with nodes like those of the machine's ``/dev``, as far as there are such, for one container alone:
    what that makes of their modes and owners is its own business.  It is the machine's ``/dev`` where none can be made.

    ``mounts`` is where this process may mount, unseen by others.
    """
    folder = f"{mounts}/nodes"
    os.mkdir(folder, 0o755)
    linux.mount("tmpfs", folder, "tmpfs", linux.MS_NOSUID | linux.MS_NOEXEC, "mode=755,size=64k")
    try:
        for name in names:
            if os.path.exists(f"{MACHINE_NODES}/{name}"):
                os.makedirs(os.path.dirname(f"{folder}/{name}"), exist_ok=True)
                copy(f"{MACHINE_NODES}/{name}", f"{folder}/{name}")
    except MachineError:
        return MACHINE_NODES
    return folder


def copy(source: str, path: str) -> None:
    """Make a node with the numbers, mode and owner of another.  Raises ``MachineError`` where that may not be."""
    status = os.stat(source)
    try:
        os.mknod(path, stat.S_IFMT(status.st_mode) | stat.S_IRUSR | stat.S_IWUSR, status.st_rdev)
    except PermissionError as error:
        raise MachineError(
            f"The device node {source} can't be shown: this process may not make one.",
            hint="dockerception doctor says what is missing here",
        ) from error
    os.chown(path, status.st_uid, status.st_gid)
    os.chmod(path, stat.S_IMODE(status.st_mode))
