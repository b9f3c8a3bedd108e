"""Runs one process in a root file system: stack the layers, show the mounts, run it, put the mount points back."""

from __future__ import annotations

import os

import msgspec

from ..errors import StoreError
from . import executable, linux, mountpoints, mounts, network_files, owners, removal, rootpath, runtime, spec
from .calls import Chroot, RunCall
from .isolation import Ground, oci
from .messages import RunResult
from .stacking import Wanted
from .worker import Session, show_layers


def perform(call: RunCall, session: Session) -> RunResult:
    """Do what ``Sandbox.begin`` promises.  All mounts are this worker's own and end with it."""
    scratch = f"{call.scratch}/run-{os.urandom(8).hex()}"
    os.mkdir(scratch, 0o700)
    request = call.request
    upper = request.upper or f"{scratch}/upper"
    work = request.work or (f"{upper}.work" if request.upper else f"{scratch}/work")
    try:
        session = _with_private_mounts(msgspec.structs.replace(session, stacking=call.stacking), scratch)
        return _run(call, session, upper, work, scratch)
    finally:
        removal.remove([scratch, work])


def _with_private_mounts(session: Session, scratch: str) -> Session:
    """A session whose ``mounts`` only this worker sees: memory where that can be mounted."""
    if not session.has_namespaces:
        private = f"{scratch}/mnt"
        os.mkdir(private, 0o700)
        return msgspec.structs.replace(session, mounts=private)
    linux.unshare(linux.CLONE_NEWNS)
    linux.mount("tmpfs", session.mounts, "tmpfs", linux.MS_NODEV | linux.MS_NOSUID, "mode=700")
    return session


def _run(call: RunCall, session: Session, upper: str, work: str, scratch: str) -> RunResult:
    request = call.request
    owners.check_user(request.uid, request.gid)
    files = network_files.prepare(request, session)
    prepared = mounts.prepare(request.mounts, session, scratch)
    for name in request.layers:
        if not os.path.isdir(f"{session.trees}/{name}"):
            raise StoreError(f"The store has no tree {session.trees}/{name}.", hint="run: dockerception prune --all")
    stack = show_layers(
        session,
        Wanted(
            trees=session.trees,
            layers=request.layers,
            mounted=f"{session.mounts}/root",
            copied=f"{scratch}/root",
            upper=upper,
            work=work,
            keep=call.scratch,
            is_thrown_away=not request.upper,
        ),
    )
    descriptor = os.open(stack.root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    made: list[mountpoints.MountPoint] = []
    try:
        for folder in spec.SYSTEM_FOLDERS:
            # Made here because runtimes differ in the mode; they stay in the layer, as BuildKit's do.
            mountpoints.make(descriptor, rootpath.resolve(descriptor, folder), is_directory=True)
        shown = mounts.place(descriptor, files, made) + mounts.place(descriptor, prepared, made)
        ground = Ground(request=request, root=stack.root, descriptor=descriptor, shown=tuple(shown), scratch=scratch)
        return _run_on(ground, call, session)
    finally:
        mountpoints.remove(descriptor, made)
        os.close(descriptor)
        stack.settle()


def _run_on(ground: Ground, call: RunCall, session: Session) -> RunResult:
    verdict = executable.check(ground.descriptor, ground.request, [each.target for each in ground.shown])
    if verdict.kind:
        return runtime.not_started(verdict.kind, verdict.message)
    if isinstance(call.isolation, Chroot):
        from .isolation import chroot

        result = chroot.run(ground, session)
    else:
        result = oci.run(ground, call.isolation, session)
    return msgspec.structs.replace(result, foreign=verdict.foreign) if verdict.foreign else result
