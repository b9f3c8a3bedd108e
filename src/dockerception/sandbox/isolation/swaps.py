"""Shows things where nothing can be mounted: what lies at a target is moved aside, and something else moved there.

Everything is on one disk, so a move costs nothing, whatever its size.  What has no copy of its own yet gets one.
"""

from __future__ import annotations

import os
import stat

import msgspec

from ...errors import MachineError
from ...oci import entry
from .. import copies, mountpoints, nodes, owners, removal, rootpath
from ..mounts import Placed
from . import Ground, showing


class _Swap(msgspec.Struct, frozen=True):
    """``aside`` is where the thing is that was at ``target`` (empty: nothing was); ``home`` where what is there now
    goes back to (empty: it is removed).  ``mtime`` is that of the directory above, in nanoseconds."""

    target: str
    aside: str
    home: str
    mtime: int


class Swaps:
    """See ``showing.Way``.  Of ``/proc`` and ``/sys`` there are empty directories only."""

    def __init__(self, ground: Ground) -> None:
        self._root = ground.root
        self._descriptor = ground.descriptor
        self._scratch = ground.scratch
        self._done: list[_Swap] = []

    def show_system(self) -> None:
        devices = f"{self._scratch}/dev"
        showing.make_devices(devices)
        self._swap("dev", devices)
        for name in ("proc", "sys"):
            empty = f"{self._scratch}/{name}"
            os.mkdir(empty, 0o555)
            self._swap(name, empty)

    def show(self, placed: Placed) -> None:
        mount, path = placed.prepared.mount, placed.prepared.path
        # Missing where it lies in something that is shown itself, and so is no part of the root.
        mountpoints.make(self._descriptor, placed.target, is_directory=placed.prepared.is_directory)
        if mount.kind == "cache" and not mount.is_readonly:
            self._swap(placed.target, path, home=path)
        elif mount.kind in ("cache", "bind"):
            if not mount.is_readonly:
                raise MachineError(
                    f"Without namespaces “{path}” can't be mounted for writing.",
                    hint="mount it read-only; dockerception doctor says why there are no namespaces here",
                )
            self._swap(placed.target, self._copy(path))
        elif mount.kind == "tmpfs":
            self._swap(placed.target, self._make_directory(placed))
        elif mount.kind == "device":
            node = f"{self._scratch}/node-{len(self._done)}"
            nodes.copy(path, node)
            self._swap(placed.target, node)
        else:
            self._swap(placed.target, path)  # made for this run alone

    def undo(self) -> None:
        for swap in reversed(self._done):
            self._put_back(swap)

    def _swap(self, target: str, path: str, home: str = "") -> None:
        above, name = rootpath.open_directory(self._descriptor, entry.parent(target)), entry.name(target)
        try:
            status = os.stat(above)
            aside = f"{self._scratch}/aside-{len(self._done)}"
            try:
                os.rename(name, aside, src_dir_fd=above)
            except FileNotFoundError:
                aside = ""
            self._done.append(_Swap(target, aside, home, status.st_mtime_ns))
            os.rename(path, name, dst_dir_fd=above)
            os.utime(above, ns=(status.st_atime_ns, status.st_mtime_ns))
        finally:
            os.close(above)

    def _put_back(self, swap: _Swap) -> None:
        try:
            above = rootpath.open_directory(self._descriptor, entry.parent(swap.target))
        except OSError:
            return  # the run has removed the directory that it was in
        name = entry.name(swap.target)
        try:
            status = os.stat(above)
            if swap.home:
                _bring_home(name, above, swap.home)
            removal.remove([f"{self._root}/{swap.target}"])
            if swap.aside:
                os.rename(swap.aside, name, dst_dir_fd=above)
            os.utime(above, ns=(status.st_atime_ns, status.st_mtime_ns))
        finally:
            os.close(above)

    def _copy(self, path: str) -> str:
        copy = f"{self._scratch}/copy-{len(self._done)}"
        copies.copy_tree(os.path.realpath(path), copy)
        return copy

    def _make_directory(self, placed: Placed) -> str:
        path = f"{self._scratch}/memory-{len(self._done)}"
        os.mkdir(path, 0o700)
        mount = placed.prepared.mount
        owners.give(path, mount.uid, mount.gid, mount.target)
        os.chmod(path, placed.mode)
        return path


def _bring_home(name: str, above: int, home: str) -> None:
    """Move a cache back; one that another run has made there meanwhile makes way."""
    try:
        is_there = stat.S_ISDIR(os.stat(name, dir_fd=above, follow_symlinks=False).st_mode)
    except FileNotFoundError:
        is_there = False
    if is_there:
        removal.remove([home])
        os.rename(name, home, src_dir_fd=above)
