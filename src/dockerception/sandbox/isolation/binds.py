"""Shows things by mounting them, in the worker's own mount namespace."""

from __future__ import annotations

import os
from typing import Final

from .. import linux, mountpoints, nodes
from ..mounts import Placed
from . import Ground, showing

_PRIVATE: Final = linux.MS_NOSUID | linux.MS_NOEXEC | linux.MS_NODEV


class Binds:
    """See ``showing.Way``.  ``mounts`` is where this process may mount, unseen by others."""

    def __init__(self, ground: Ground, mounts: str) -> None:
        self._mounts = mounts
        self._root = ground.root
        self._descriptor = ground.descriptor
        self._mounted: list[str] = []

    def show_system(self) -> None:
        self._mount("proc", "proc", "proc", _PRIVATE)
        self._bind("/sys", "sys", is_recursive=True)
        self._mount("tmpfs", "dev", "tmpfs", linux.MS_NOSUID | linux.MS_NODEV, "mode=755,size=65536k")
        source = nodes.own(showing.DEVICES, self._mounts)
        for name in showing.DEVICES:
            if os.path.exists(f"{source}/{name}"):
                # A node made here would not work (nodev); one that is bound does.
                self._touch(f"dev/{name}", is_directory=False)
                self._bind(f"{source}/{name}", f"dev/{name}")
        for name, target in showing.LINKS.items():
            os.symlink(target, f"{self._root}/dev/{name}")
        for name, kind, options in (
            ("pts", "devpts", "newinstance,ptmxmode=0666,mode=0620"),
            ("shm", "tmpfs", "mode=1777"),
        ):
            self._touch(f"dev/{name}", is_directory=True)
            self._mount(kind, f"dev/{name}", kind, linux.MS_NOSUID | linux.MS_NOEXEC, options)
        os.symlink("pts/ptmx", f"{self._root}/dev/ptmx")

    def show(self, placed: Placed) -> None:
        prepared, mount = placed.prepared, placed.prepared.mount
        self._touch(placed.target, is_directory=prepared.is_directory)
        if mount.kind == "tmpfs":
            size = f",size={mount.size}" if mount.size else ""
            options = f"mode={placed.mode:o},uid={mount.uid},gid={mount.gid}{size}"
            self._mount("tmpfs", placed.target, "tmpfs", linux.MS_NOSUID | linux.MS_NODEV, options)
        else:
            self._bind(prepared.path, placed.target, is_recursive=True)
        if mount.kind == "device":
            self._remount(placed.target, linux.MS_RDONLY | linux.MS_NOSUID | linux.MS_NOEXEC)
        elif mount.is_readonly or mount.kind in ("secret", "script"):
            self._remount(placed.target, linux.MS_RDONLY | linux.MS_NODEV | linux.MS_NOSUID)

    def undo(self) -> None:
        os.chdir("/")
        for path in reversed(self._mounted):
            linux.unmount(path, linux.MNT_DETACH)

    def _touch(self, target: str, *, is_directory: bool) -> None:
        """Make a mount point that lies in something that is mounted itself, and so is no part of the root."""
        mountpoints.make(self._descriptor, target, is_directory=is_directory)

    def _bind(self, source: str, target: str, *, is_recursive: bool = False) -> None:
        self._mount(source, target, "", linux.MS_BIND | (linux.MS_REC if is_recursive else 0))

    def _mount(self, source: str, target: str, kind: str, flags: int, options: str = "") -> None:
        path = f"{self._root}/{target}"
        linux.mount(source, path, kind, flags, options)
        self._mounted.append(path)

    def _remount(self, target: str, flags: int) -> None:
        linux.mount("", f"{self._root}/{target}", "", linux.MS_BIND | linux.MS_REMOUNT | flags)
