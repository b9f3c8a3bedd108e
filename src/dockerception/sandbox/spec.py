"""The ``config.json`` of an OCI runtime bundle (runtime-spec config.md, config-linux.md) for one run."""

from __future__ import annotations

import binascii
import os
from collections.abc import Sequence
from typing import Final

import msgspec

from ..limits import UNLIMITED, Ulimit
from . import privileged, security
from .messages import Hook, Mount, RunRequest

DEFAULT_PATH: Final = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
SYSTEM_FOLDERS: Final = ("dev", "proc", "sys")
"""Directories of the root that are always mounted on."""

MACHINE_NODES: Final = "/dev"

PATH: Final = f"PATH={DEFAULT_PATH}"

_VERSION: Final = "1.0.2"
_DEVICES: Final = ("full", "null", "random", "tty", "urandom", "zero")
_PRIVATE: Final = ["nosuid", "noexec", "nodev"]
_SHARED_MEMORY: Final = 64 << 20
_PROGRAM: Final = "run.oci.seccomp_bpf_data"

Mounted = dict[str, object]
Hooks = dict[str, list[dict[str, object]]]


class Filter(msgspec.Struct, frozen=True):
    """What system calls a container may make: the seccomp ``profile`` as JSON, and the same as the kernel's ``program``
    (empty: the runtime makes it)."""

    profile: bytes
    program: bytes = b""


def config(
    request: RunRequest,
    root: str,
    mounts: Sequence[Mounted],
    *,
    is_user_namespace: bool,
    has_tty_group: bool,
    terminal_size: tuple[int, int],
    system_calls: Filter | None = None,
    hooks: Hooks | None = None,
    nodes: str = MACHINE_NODES,
    shows_tty: bool = True,
) -> dict[str, object]:
    """The whole document.  ``mounts`` are those of the request and the files of ``/etc``, resolved already.

    ``is_user_namespace``: the helper is not the machine's root.  ``has_tty_group``: group 5 is mapped there.
    ``terminal_size`` is in rows and columns.  ``nodes`` is the directory that the nodes of ``/dev`` are in;
    without ``shows_tty`` the runtime has to show ``/dev/tty`` by itself.
    """
    namespaces = ["mount", "pid", "ipc", "uts", "cgroup"]
    if request.network == "none":
        namespaces.append("network")
    return {
        "ociVersion": _VERSION,
        "process": _process(request, terminal_size),
        "root": {"path": root, "readonly": request.has_readonly_root},
        "hostname": request.hostname,
        "mounts": [
            *_system_mounts(request, is_user_namespace, has_tty_group),
            *(_device(name, nodes) for name in device_names(request, nodes) if shows_tty or name != "tty"),
            *mounts,
            _root_guard(request, root),
        ],
        "linux": {
            "namespaces": [{"type": name} for name in namespaces],
            "maskedPaths": () if request.is_privileged else security.MASKED_PATHS,
            "readonlyPaths": () if request.is_privileged else security.READONLY_PATHS,
            "seccomp": msgspec.Raw(system_calls.profile if system_calls else b"null"),
        },
        "annotations": _annotations(system_calls),
        "hooks": hooks or {},
    }


def memory(mount: Mount, target: str, *, mode: int) -> Mounted:
    """An empty file system in memory (a ``tmpfs`` of the request) at its resolved target, absolute in the container."""
    options = ["nosuid", "nodev", "ro" if mount.is_readonly else "rw", f"mode={mode:o}"]
    if mount.size:
        options.append(f"size={mount.size}")
    if mount.uid or mount.gid:
        options += [f"uid={mount.uid}", f"gid={mount.gid}"]
    return {"destination": target, "type": "tmpfs", "source": "tmpfs", "options": options}


def bind(source: str, target: str, options: Sequence[str]) -> Mounted:
    """A bind mount with everything that is mounted below its source."""
    return {"destination": target, "type": "bind", "source": source, "options": ["rbind", *options]}


def hooks(own: Hooks, asked: Sequence[Hook]) -> Hooks:
    """Our own hooks, and behind them those of a request."""
    found = {when: list(each) for when, each in own.items()}
    for hook in asked:
        entry: dict[str, object] = {"path": hook.path, "args": hook.args or (hook.path,), "env": hook.env}
        if hook.timeout is not None:
            entry["timeout"] = hook.timeout
        found.setdefault(hook.when, []).append(entry)
    return found


def _annotations(system_calls: Filter | None) -> dict[str, str]:
    """Those of crun; other runtimes pass them by."""
    if system_calls is None or not system_calls.program:
        return {}
    return {_PROGRAM: binascii.b2a_base64(system_calls.program, newline=False).decode()}


def _process(request: RunRequest, terminal_size: tuple[int, int]) -> dict[str, object]:
    return {
        "terminal": request.has_terminal,
        "consoleSize": {"height": terminal_size[0], "width": terminal_size[1]},
        "user": {
            "uid": request.uid,
            "gid": request.gid,
            "umask": 0o022,
            "additionalGids": request.additional_gids,
        },
        "args": request.args,
        "env": _environment(request),
        "cwd": request.cwd,
        "capabilities": security.capabilities(
            privileged.capabilities() if request.is_privileged else request.capabilities, request.uid
        ),
        "rlimits": [_ulimit(each) for each in request.limits.ulimits],
        "noNewPrivileges": request.has_no_new_privileges,
    }


def _environment(request: RunRequest) -> tuple[str, ...]:
    if any(variable.startswith("PATH=") for variable in request.environment):
        return request.environment
    return (*request.environment, PATH)


def _ulimit(limit: Ulimit) -> dict[str, object]:
    soft, hard = (2**64 - 1 if value == UNLIMITED else value for value in (limit.soft, limit.hard))
    return {"type": f"RLIMIT_{limit.name.upper()}", "soft": soft, "hard": hard}


def _system_mounts(request: RunRequest, is_user_namespace: bool, has_tty_group: bool) -> list[Mounted]:
    terminals = ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620"]
    if has_tty_group:
        terminals.append("gid=5")
    shared = f"size={request.limits.shm_size or _SHARED_MEMORY}"
    return [
        _special("/proc", "proc", _PRIVATE),
        _special("/dev", "tmpfs", ["nosuid", "nodev", "strictatime", "mode=755", "size=65536k"]),
        _special("/dev/pts", "devpts", terminals),
        _special("/dev/shm", "tmpfs", [*_PRIVATE, "mode=1777", shared]),  # noqa: S108  the container's own
        _special("/dev/mqueue", "mqueue", _PRIVATE),
        _sys(request, is_user_namespace),
    ]


def _root_guard(request: RunRequest, root: str) -> Mounted:
    # crun mounts the root anew and drops its nodev; this puts it back.  It would ignore a plain “/” here.
    options = ["bind", "remount", "nodev", "ro" if request.has_readonly_root else "rw"]
    return {"destination": "/.", "type": "bind", "source": root, "options": options}


def device_names(request: RunRequest, nodes: str = MACHINE_NODES) -> tuple[str, ...]:
    """The nodes of a container's ``/dev``, as far as there are such."""
    names = (*_DEVICES, *privileged.DEVICES) if request.is_privileged else _DEVICES
    return tuple(name for name in names if os.path.exists(f"{nodes}/{name}"))


def _device(name: str, nodes: str) -> Mounted:
    # A node made in the container's own /dev would not work there (nodev); one that is bound does.  The machine's own
    # is read-only, which keeps nobody from writing to what it stands for, but from changing its mode for all.
    options = ["bind", "nosuid", "noexec", *(["ro"] if nodes == MACHINE_NODES else [])]
    return {"destination": f"/dev/{name}", "type": "bind", "source": f"{nodes}/{name}", "options": options}


def _sys(request: RunRequest, is_user_namespace: bool) -> Mounted:
    access = "rw" if request.is_privileged else "ro"
    if request.network == "none":
        return _special("/sys", "sysfs", [*_PRIVATE, access])
    # A sysfs of its own needs a network namespace of its own.  As root without the mounts below it, because debugfs
    # and its like ask for no capability; a user's namespace may only bind the whole, and is not root for those.
    kind = "rbind" if is_user_namespace else "bind"
    return {"destination": "/sys", "type": "bind", "source": "/sys", "options": [kind, *_PRIVATE, access]}


def _special(target: str, kind: str, options: list[str]) -> Mounted:
    return {"destination": target, "type": kind, "source": kind, "options": options}
