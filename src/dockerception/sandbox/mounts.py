"""The mounts of a run, as small operations in this order: ``prepare`` what each shows, ``place`` it in the root.

What is prepared is a path of the worker's own namespace: a directory or a file that only has to be shown at the target,
by whatever an isolation has for that (a mount of the OCI runtime, a bind, a copy).  Memory (``tmpfs``) has no path.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Sequence
from typing import Final

import msgspec

from ..errors import StoreError
from . import mountpoints, owners, removal, rootpath, spec
from .copies import copy_tree
from .messages import Mount
from .stacking import Wanted
from .worker import Session, show_layers

_MEMORY: Final = ""
_DEFAULT_MODE: Final = 0o755
_DEFAULT_TMPFS_MODE: Final = 0o1777


class Prepared(msgspec.Struct, frozen=True):
    """A mount of the request, and the path in this namespace of what it shows (empty for memory)."""

    mount: Mount
    path: str

    @property
    def is_directory(self) -> bool:
        """Whether the target has to be a directory."""
        return self.path == _MEMORY or os.path.isdir(self.path)


class Placed(msgspec.Struct, frozen=True):
    """A prepared mount and where it goes: ``target`` is resolved, relative to the root.

    ``mode`` is that of memory; as runc has it, a directory that is there gives it its own.
    """

    prepared: Prepared
    target: str
    mode: int = _DEFAULT_TMPFS_MODE


def prepare(mounts: Sequence[Mount], session: Session, scratch: str) -> list[Prepared]:
    """Make ready what the mounts show.  ``scratch`` is a directory on the store's disk that goes after the run."""
    return [
        Prepared(mount, _prepare(mount, str(number), session, f"{scratch}/mount-{number}"))
        for number, mount in enumerate(mounts)
    ]


def place(root: int, prepared: Sequence[Prepared], made: list[mountpoints.MountPoint]) -> list[Placed]:
    """Resolve the targets within the directory ``root`` and make mount points where they are missing, told in ``made``.

    Outer targets come first.  Inside of one the mount point is the runtime's business: it is no part of the root.
    """
    found = [(each, rootpath.resolve(root, each.mount.target)) for each in prepared]
    placed = [Placed(each, target, _mode(root, each.mount, target)) for each, target in found]
    placed.sort(key=lambda each: each.target.split("/"))
    covered = [f"{folder}/" for folder in spec.SYSTEM_FOLDERS]
    for each in placed:
        if not each.target.startswith(tuple(covered)):
            made += mountpoints.make(root, each.target, is_directory=each.prepared.is_directory)
        covered.append(f"{each.target}/")
    return placed


def in_bundle(placed: Placed) -> spec.Mounted:
    """The mount as an OCI runtime takes it."""
    mount, target = placed.prepared.mount, f"/{placed.target}"
    if mount.kind == "tmpfs":
        return spec.memory(mount, target, mode=placed.mode)
    if mount.kind == "device":
        # Read-only keeps its owner and mode; what it stands for can be written to all the same.
        return spec.bind(placed.prepared.path, target, ["ro", "nosuid", "noexec"])
    if mount.kind in ("secret", "script"):
        return spec.bind(placed.prepared.path, target, ["ro", "nosuid", "nodev", *_unless_script(mount)])
    return spec.bind(placed.prepared.path, target, ["ro" if mount.is_readonly else "rw", "nodev"])


def _unless_script(mount: Mount) -> list[str]:
    return [] if mount.kind == "script" else ["noexec"]


def _prepare(mount: Mount, name: str, session: Session, scratch: str) -> str:
    match mount.kind:
        case "tmpfs":
            return _MEMORY
        case "cache":
            return _make_cache(mount, name, session, scratch)
        case "layers":
            return _show_layers(mount, name, session, scratch)
        case "secret" | "script":
            return _write_file(mount, f"{session.mounts}/file-{name}")
        case "agent":
            from . import agent  # needs more of Python than any other mount

            return agent.start(mount, f"agent-{name}", session)
        case "device":
            from . import nodes

            return nodes.prepare(mount, name, session)
    return mount.source


def _mode(root: int, mount: Mount, target: str) -> int:
    if mount.mode is not None:
        return mount.mode
    try:
        return stat.S_IMODE(os.stat(target, dir_fd=root, follow_symlinks=False).st_mode)
    except OSError:
        return _DEFAULT_TMPFS_MODE


def _write_file(mount: Mount, path: str) -> str:
    """The worker's mounts are memory that nobody else sees, so the content never gets near a disk; where nothing can be
    mounted, they are a directory for this user alone that goes with the run."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with open(descriptor, "wb") as file:
        file.write(mount.content.value)
        _own(descriptor, mount)
    return path


def _own(target: str | int, mount: Mount) -> None:
    owners.give(target, mount.uid, mount.gid, mount.target)
    os.chmod(target, _DEFAULT_MODE if mount.mode is None else mount.mode)


def _show_layers(mount: Mount, name: str, session: Session, scratch: str) -> str:
    """Stack the layers; returns the path of ``inner`` there."""
    for layer in mount.layers:
        if not os.path.isdir(f"{session.trees}/{layer}"):
            raise StoreError(f"The store has no tree {layer}.", hint="run: dockerception prune --all")
    stack = show_layers(
        session,
        Wanted(
            trees=session.trees,
            layers=mount.layers,
            mounted=f"{session.mounts}/layers-{name}",
            copied=f"{scratch}.layers",
            upper=f"{scratch}/upper",
            work=f"{scratch}/work",
            is_thrown_away=True,
            is_readonly=mount.is_readonly,
        ),
    )
    return f"{stack.root}/{mount.inner}".rstrip("/")


def _make_cache(mount: Mount, name: str, session: Session, scratch: str) -> str:
    """The directory of a cache, made beside and renamed, because others may want the same one now."""
    if os.path.isdir(mount.source):
        return mount.source
    os.makedirs(scratch)
    new = f"{scratch}/cache"
    if mount.layers:
        shown = _show_layers(msgspec.structs.replace(mount, is_readonly=True), name, session, scratch)
        copy_tree(shown, new)
    else:
        os.mkdir(new, 0o700)
        _own(new, mount)
    try:
        os.rename(new, mount.source)
    except OSError:
        if not os.path.isdir(mount.source):
            raise
        removal.remove([new])  # another run was faster, and has put something in already
    return mount.source
