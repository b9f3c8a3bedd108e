"""Finds out what works on this machine, by doing it once per boot; the answer is kept in ``<store>/machine.json``."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Final

import msgspec

from .. import process
from ..errors import DiskFailedError, DiskFullError, DockerceptionError
from ..limits import Limits
from . import idmap
from .calls import Runtime, RuntimeName, Stacking
from .ladders import RUNTIMES
from .messages import Abilities, Ability, Mount, RunRequest, RuntimeAbility

if TYPE_CHECKING:
    from .client import Sandbox

_FORMAT: Final = 4
_LIMITS: Final = {"memory": Limits(memory=1 << 30), "cpus": Limits(cpus=1), "pids": Limits(pids=1 << 10)}
_NOT_FILTERED: Final = 3
_LOOK: Final = f"""
while read -r name value rest; do [ "$name $value" = "Seccomp: 2" ] && exit 0; done < /proc/self/status
exit {_NOT_FILTERED}"""
"""Does a filter of system calls apply?  A runtime may be built without, and then ignores the profile or refuses it."""

_OF_DISK: Final = (DiskFullError, DiskFailedError)
"""Errors that may be over the next time: nothing to be noted of a machine."""

# What a dynamically linked program of the host needs, wherever its distribution keeps it.
_HOST_FOLDERS: Final = ("/bin", "/lib", "/lib32", "/lib64", "/usr", "/nix/store", "/gnu/store")


def probe(sandbox: Sandbox, root: str) -> Abilities:
    """The abilities of this machine, from ``machine.json`` where that is still about this boot, user and runtimes."""
    noted = known(root)
    if noted is not None:
        return noted
    found = _look(sandbox, root, _key())
    if found.helper.works:
        _save(_note(root), found)
    return found


def known(root: str) -> Abilities | None:
    """What has been noted in the store about this machine as it is now.  Noted is only where namespaces work."""
    try:
        with open(_note(root), "rb") as file:
            noted = msgspec.json.decode(file.read(), type=Abilities)
    except (OSError, msgspec.MsgspecError):
        return None  # never looked, or by another version
    return noted if noted.key == _key() else None


def _note(root: str) -> str:
    return f"{root}/machine.json"


def cgroup_mode(mounts: str) -> str:
    """``v2``, ``hybrid``, ``v1`` or ``none``, from a text like /proc/mounts."""
    kinds = {}
    for line in mounts.splitlines():
        words = line.split()
        if len(words) > 2 and words[2] in ("cgroup", "cgroup2"):
            kinds[words[2]] = words[1]
    if "cgroup" in kinds:
        return "hybrid" if "cgroup2" in kinds else "v1"
    return "v2" if kinds else "none"


def _key() -> str:
    with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
        boot = file.read().strip()
    # Containers on one machine share the boot, and perhaps the store, but not what they may do.
    parts = [str(_FORMAT), boot, str(os.geteuid()), os.readlink("/proc/self/ns/mnt")]
    for name in RUNTIMES:
        path = process.find(name)
        parts.append(f"{path}:{os.stat(path).st_mtime_ns}" if path else "")
    return " ".join(parts)


def _look(sandbox: Sandbox, root: str, key: str) -> Abilities:
    import shutil
    import tempfile

    from ..store.disk import disk_errors

    folder = sandbox.scratch
    with disk_errors("finding out what works in the store"):
        os.makedirs(f"{root}/trees", exist_ok=True)
        os.makedirs(folder, exist_ok=True)
        scratch = tempfile.mkdtemp(prefix="probe-", dir=folder)
    try:
        helper = sandbox.namespaces()
        if helper.works:
            overlay = _try(lambda: sandbox.check_overlay(scratch), but=_OF_DISK)
            helper = chroot = _try(lambda: sandbox.delete([scratch]), but=_OF_DISK)
        else:
            overlay = Ability(works=False, reason="without namespaces nothing can be mounted")
            chroot = _try(lambda: sandbox.check_chroot(scratch), but=_OF_DISK)
        stacking: Stacking = "overlay" if overlay.works else "copied"
        runtimes = tuple(_try_runtime(sandbox, name, stacking, helper) for name in RUNTIMES)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    with open("/proc/mounts", encoding="utf-8", errors="replace") as file:
        cgroups = cgroup_mode(file.read())
    return Abilities(
        key=key,
        helper=helper,
        overlay=overlay,
        chroot=chroot,
        subordinate_ids=_subordinate_ids(),
        runtimes=runtimes,
        cgroups=cgroups,
        limits={name: _try(partial(sandbox.try_limits, asked)) for name, asked in _LIMITS.items()},
    )


def _try(action: Callable[[], None], *, but: tuple[type[DockerceptionError], ...] = ()) -> Ability:
    """Whether an action works; the errors of ``but`` say nothing about that, and are raised."""
    try:
        action()
    except but:
        raise
    except DockerceptionError as error:
        return Ability(works=False, reason=error.message, remedy=error.hint)
    return Ability(works=True)


def _try_runtime(sandbox: Sandbox, name: RuntimeName, stacking: Stacking, helper: Ability) -> RuntimeAbility:
    path = process.find(name)
    if path is None:
        install = f"apt-get install {name}"
        return RuntimeAbility(name=name, path="", works=False, reason="not installed", remedy=install)
    shell = process.find("sh")
    if not helper.works or shell is None:
        reason = "it needs namespaces" if shell else "there is no program “sh”"
        return RuntimeAbility(name=name, path=path, works=False, reason=reason)
    folders = [folder for folder in _HOST_FOLDERS if os.path.isdir(folder)]
    request = RunRequest(
        layers=(),
        args=(os.path.realpath(shell), "-c", _LOOK),
        mounts=tuple(Mount(kind="bind", source=os.path.realpath(f), target=f, is_readonly=True) for f in folders),
    )
    reasons = []
    for is_filtered in (True, False):
        try:
            result = sandbox.begin_with(request, stacking, Runtime(name, path, is_filtered)).wait()
        except _OF_DISK:
            raise
        except DockerceptionError as error:
            return RuntimeAbility(name=name, path=path, works=False, reason=error.message, remedy=error.hint)
        if result.returncode in (0, _NOT_FILTERED):
            return RuntimeAbility(name=name, path=path, works=True, seccomp=is_filtered and not result.returncode)
        reasons.append(result.message or f"the shell exited with code {result.returncode}")
    return RuntimeAbility(name=name, path=path, works=False, reason=reasons[-1])


def _subordinate_ids() -> Ability:
    if os.geteuid() == 0 or idmap.has_subordinate_ids():
        return Ability(works=True)
    cause = idmap.cause()
    return Ability(works=False, reason=f"{cause.reason}: files can have one owner only", remedy=cause.remedy)


def _save(path: str, found: Abilities) -> None:
    partial = f"{path}.{os.getpid()}"
    try:
        with open(partial, "wb") as file:
            file.write(msgspec.json.encode(found))
        os.replace(partial, path)
    except OSError:
        pass  # only a note to ourselves: the next process looks again
