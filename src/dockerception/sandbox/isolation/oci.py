"""The first rung: a container of an OCI runtime, from a bundle that lies in the worker's mounts."""

from __future__ import annotations

import os
import signal
from typing import Final

import msgspec

from ...errors import MachineError
from .. import cgroups, filters, limiting, linux, mounts, nodes, runtime, seccomp, spec, watching
from ..calls import Runtime
from ..messages import RunRequest, RunResult
from ..worker import Session
from . import Ground, terminal

_CGROUPS: Final = "/sys/fs/cgroup"
_TTY_GROUP: Final = 5


def run(ground: Ground, which: Runtime, session: Session) -> RunResult:
    """Run the request to its end.  No process of the container is left when this returns."""
    if not session.has_namespaces:
        # What is mounted below would be mounted for the whole machine.
        raise MachineError("Without namespaces no container can be started.", hint="use --isolation=chroot")
    with limiting.groups(ground.request.limits) as groups:
        return _run(ground, which, session, groups)


def _run(ground: Ground, which: Runtime, session: Session, groups: list[cgroups.Group]) -> RunResult:
    if which.name == "crun" and os.path.isdir(_CGROUPS):
        # crun refuses to start on hybrid cgroups that it can't make sense of; of an empty directory it asks nothing.
        linux.mount("tmpfs", _CGROUPS, "tmpfs", linux.MS_NODEV | linux.MS_NOSUID | linux.MS_NOEXEC)
    hooks = spec.hooks(limiting.hooks(groups), ground.request.hooks)
    _write_config(ground, which, session, hooks)
    bundle = session.mounts
    os.chdir(bundle)
    linux.adopt_orphans()
    stdin, stdout, stderr = session.descriptors
    child = os.posix_spawn(
        which.path,
        runtime.command(which),
        _environment(bundle),
        file_actions=[
            (os.POSIX_SPAWN_DUP2, stdin, 0),
            (os.POSIX_SPAWN_DUP2, stdout, 1),
            (os.POSIX_SPAWN_DUP2, stderr, 2),
        ],
        # Python ignores these two, and what is ignored stays so across exec, into the container.
        setsigdef=[signal.SIGPIPE, signal.SIGXFSZ],
    )
    for descriptor in (stdout, stderr):
        os.close(descriptor)  # else the reader of the container's stdout would wait for us, too
    ended = watching.wait_for(_Container(child, bundle, stdin), session, ground.request.limits.timeout)
    result = runtime.result(ended.returncode, _read(f"{bundle}/log"))
    has_failed = bool(result.returncode) and not result.not_started
    if has_failed and ground.request.hooks and not os.path.exists(f"{bundle}/pid"):  # crun has no words for it
        return runtime.not_started("runtime", "The container could not be started: a hook of a device failed.")
    return limiting.judged(result, ended, groups)


class _Container(msgspec.Struct, frozen=True):
    """See ``watching.Container``."""

    child: int
    bundle: str
    terminal: int

    def first(self) -> int:
        text = _read(f"{self.bundle}/pid")
        return int(text) if text.isdigit() else 0

    def resize(self) -> None:
        terminal.resize(self.first(), self.terminal)


def _environment(bundle: str) -> dict[str, str]:
    """The runtime's own.  The last one is where runtimes put the file from which they protect their program; in /tmp
    it would outlive a SIGKILL."""
    return {
        "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        "XDG_RUNTIME_DIR": bundle,
        "_LIBCONTAINER_STATEDIR": bundle,
    }


def _filter(request: RunRequest, which: Runtime, root: str) -> spec.Filter | None:
    if request.is_privileged or not which.has_seccomp:
        return None
    profile = seccomp.DEFAULT if request.capabilities is None else seccomp.encoded(request.capabilities)
    return spec.Filter(profile, filters.program(profile, root) if which.name == "crun" else b"")


def _write_config(ground: Ground, which: Runtime, session: Session, hooks: spec.Hooks) -> None:
    request = ground.request
    is_user_namespace = not _maps(_read("/proc/self/uid_map"), 2**32 - 2)
    document = spec.config(
        request,
        ground.root,
        [mounts.in_bundle(each) for each in ground.shown],
        is_user_namespace=is_user_namespace,
        has_tty_group=_maps(_read("/proc/self/gid_map"), _TTY_GROUP),
        terminal_size=terminal.size(session.descriptors[0]) if request.has_terminal else (0, 0),
        system_calls=_filter(request, which, session.root),
        hooks=hooks,
        nodes=spec.MACHINE_NODES if is_user_namespace else nodes.own(spec.device_names(request), session.mounts),
        # In a user namespace runc opens what lies where it shows a node, and a terminal that is not there can't be.
        shows_tty=not (is_user_namespace and which.name == "runc"),
    )
    with open(f"{session.mounts}/config.json", "wb") as file:
        file.write(msgspec.json.encode(document))


def _maps(table: str, number: int) -> bool:
    """Whether an id map of user_namespaces(7) has this id in it."""
    rows = [[int(word) for word in line.split()] for line in table.splitlines()]
    return any(inside <= number < inside + count for inside, _, count in rows)


def _read(path: str) -> str:
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read()
    except FileNotFoundError:
        return ""
