"""Runs one process in a container: stack the layers, make the bundle, run it, put the mount points back."""

from __future__ import annotations

import os
from typing import Final

import msgspec

from ..errors import StoreError
from . import container, executable, linux, mountpoints, mounts, removal, rootpath, runtime, spec, terminal
from .calls import RunCall
from .messages import RunRequest, RunResult
from .stacking import overlay
from .worker import Session

_CGROUPS: Final = "/sys/fs/cgroup"
_RESOLV_CONF: Final = "/etc/resolv.conf"
_TTY_GROUP: Final = 5


def perform(call: RunCall, session: Session) -> RunResult:
    """Do what ``Sandbox.begin`` promises.  All mounts are this worker's own and end with it."""
    linux.unshare(linux.CLONE_NEWNS)
    linux.mount("tmpfs", session.mounts, "tmpfs", linux.MS_NODEV | linux.MS_NOSUID, "mode=700")
    if call.runtime.name == "crun" and os.path.isdir(_CGROUPS):
        # crun refuses to start on hybrid cgroups that it can't make sense of; of an empty directory it asks nothing.
        linux.mount("tmpfs", _CGROUPS, "tmpfs", linux.MS_NODEV | linux.MS_NOSUID | linux.MS_NOEXEC)
    request = call.request
    scratch = _scratch(call.scratch)
    upper = request.upper or f"{scratch}/upper"
    work = request.work or (f"{upper}.work" if request.upper else f"{scratch}/work")
    try:
        return _in_root(call, session, upper, work, scratch)
    finally:
        removal.remove([scratch, work])


def _scratch(folder: str) -> str:
    path = f"{folder}/run-{os.urandom(8).hex()}"
    os.mkdir(path, 0o700)
    return path


def _in_root(call: RunCall, session: Session, upper: str, work: str, scratch: str) -> RunResult:
    request, root = call.request, f"{session.mounts}/root"
    os.mkdir(root)
    prepared = mounts.prepare(request.mounts, session, scratch)
    layers = [f"{session.trees}/{name}" for name in request.layers]
    for layer in layers:
        if not os.path.isdir(layer):
            raise StoreError(f"The store has no tree {layer}.", hint="run: dockerception prune --all")
    overlay.prepare(upper, work, layers[-1] if layers else "")
    overlay.mount(session.trees, request.layers, upper, work, root)
    descriptor = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    made: list[mountpoints.MountPoint] = []
    try:
        shown = _mount(request, session, descriptor, prepared, made)
        verdict = executable.check(descriptor, request, [str(each["destination"])[1:] for each in shown])
        if verdict.kind:
            return runtime.not_started(verdict.kind, verdict.message)
        _write_config(request, session, root, shown)
        return container.run(call.runtime, session)
    finally:
        mountpoints.remove(descriptor, made)
        os.close(descriptor)
        os.chdir("/")
        _unmount(root)


def _mount(
    request: RunRequest,
    session: Session,
    root: int,
    prepared: list[mounts.Prepared],
    made: list[mountpoints.MountPoint],
) -> list[spec.Mounted]:
    """The mounts for the bundle, resolved within the root, and their mount points made."""
    shown: list[spec.Mounted] = []
    for folder in spec.SYSTEM_FOLDERS:
        # Made here because runtimes differ in the mode; they stay in the layer, as BuildKit's do.
        mountpoints.make(root, rootpath.resolve(root, folder), is_directory=True)
    for source, target in _etc_files(request, session):
        real = rootpath.resolve(root, target)
        made += mountpoints.make(root, real, is_directory=False)
        shown.append(spec.bind(source, f"/{real}", ["ro", "nosuid", "nodev", "noexec"]))
    placed = mounts.place(root, prepared, made)
    return shown + [mounts.in_bundle(each) for each in placed]


def _etc_files(request: RunRequest, session: Session) -> list[tuple[str, str]]:
    hosts = f"{session.mounts}/hosts"
    lines = [
        f"127.0.0.1\tlocalhost {request.hostname}",
        "::1\tlocalhost ip6-localhost ip6-loopback",
        *(f"{address}\t{name}" for name, address in request.hosts),
    ]
    with open(hosts, "w", encoding="utf-8") as file:
        file.write("\n".join(lines) + "\n")
    files = [(hosts, "/etc/hosts")]
    if os.path.exists(_RESOLV_CONF):
        files.append((os.path.realpath(_RESOLV_CONF), _RESOLV_CONF))
    return files


def _write_config(request: RunRequest, session: Session, root: str, shown: list[spec.Mounted]) -> None:
    document = spec.config(
        request,
        root,
        shown,
        is_user_namespace=not _maps(_read("/proc/self/uid_map"), 2**32 - 2),
        has_tty_group=_maps(_read("/proc/self/gid_map"), _TTY_GROUP),
        terminal_size=terminal.size(session.descriptors[0]) if request.has_terminal else (0, 0),
    )
    with open(f"{session.mounts}/config.json", "wb") as file:
        file.write(msgspec.json.encode(document))


def _unmount(root: str) -> None:
    """Unmount the root, so that the upper directory is at rest before anybody looks at it."""
    try:
        linux.unmount(root)
    except OSError:
        linux.unmount(root, linux.MNT_DETACH)


def _maps(table: str, number: int) -> bool:
    """Whether an id map of user_namespaces(7) has this id in it."""
    rows = [[int(word) for word in line.split()] for line in table.splitlines()]
    return any(inside <= number < inside + count for inside, _, count in rows)


def _read(path: str) -> str:
    with open(path, encoding="ascii") as file:
        return file.read()
