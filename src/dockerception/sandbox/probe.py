"""Finds out what works on this machine, by doing it once per boot; the answer is kept in ``<store>/machine.json``."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

import msgspec

from .. import process
from ..errors import DockerceptionError, MachineError
from . import idmap
from .calls import Runtime, RuntimeName
from .messages import Abilities, Ability, Mount, RunRequest, RuntimeAbility

if TYPE_CHECKING:
    from .client import Sandbox

_FORMAT: Final = 1
_RUNTIMES: Final[tuple[RuntimeName, ...]] = ("crun", "runc")
# What a dynamically linked program of the host needs, wherever its distribution keeps it.
_HOST_FOLDERS: Final = ("/bin", "/lib", "/lib32", "/lib64", "/usr", "/nix/store", "/gnu/store")


def probe(sandbox: Sandbox, root: str) -> Abilities:
    """The abilities of this machine, from ``machine.json`` where that is still about this boot, user and runtimes."""
    path = f"{root}/machine.json"
    key = _key()
    try:
        with open(path, "rb") as file:
            known = msgspec.json.decode(file.read(), type=Abilities)
        if known.key == key:
            return known
    except (OSError, msgspec.MsgspecError):
        pass  # never looked, or by another version: look now
    found = _look(sandbox, root, key)
    if found.helper.works:
        _save(path, found)
    return found


def choose(wanted: str, abilities: Callable[[], Abilities]) -> Runtime:
    """The runtime to use for ``auto``, a name or a path.  Only ``auto`` tries out first; the rest is the user's word.

    Raises ``MachineError`` that says what was tried.
    """
    if wanted != "auto":
        path = _program(wanted) if "/" in wanted else process.require(wanted, wanted, "to run steps")
        name: RuntimeName = "crun" if "crun" in os.path.basename(path) else "runc"
        return Runtime(name, os.path.abspath(path))
    found = abilities()
    for runtime in found.runtimes:
        for name in _RUNTIMES:
            if runtime.works and runtime.name == name:
                return Runtime(name, runtime.path)
    problems = [("helper", found.helper.reason), ("overlay", found.overlay.reason)]
    problems += [(each.name, each.reason) for each in found.runtimes]
    raise MachineError(
        "No OCI runtime works on this machine, so steps (RUN) can't be run.",
        details="\n".join(f"{name}: {reason}" for name, reason in problems if reason),
        hint="install one, e.g. apt-get install crun; dockerception doctor tells more",
    )


def _program(path: str) -> str:
    if not (os.path.isfile(path) and os.access(path, os.X_OK)):
        raise MachineError(
            f"The runtime {path} is no program that can be executed.",
            hint="give crun, runc, or the path of another OCI runtime",
        )
    return path


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
    parts = [str(_FORMAT), boot, str(os.geteuid())]
    for name in _RUNTIMES:
        path = process.find(name)
        parts.append(f"{path}:{os.stat(path).st_mtime_ns}" if path else "")
    return " ".join(parts)


def _look(sandbox: Sandbox, root: str, key: str) -> Abilities:
    import shutil
    import tempfile

    os.makedirs(f"{root}/trees", exist_ok=True)
    folder = os.path.join(root, "tmp")
    os.makedirs(folder, exist_ok=True)
    scratch = tempfile.mkdtemp(prefix="probe-", dir=folder)
    try:
        overlay = _try(lambda: sandbox.check_overlay(scratch))
        helper = _try(lambda: sandbox.delete([scratch]))
        runtimes = tuple(_try_runtime(sandbox, name, helper) for name in _RUNTIMES)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    with open("/proc/mounts", encoding="utf-8", errors="replace") as file:
        cgroups = cgroup_mode(file.read())
    return Abilities(
        key=key,
        helper=helper,
        overlay=overlay,
        subordinate_ids=_subordinate_ids(),
        runtimes=runtimes,
        cgroups=cgroups,
    )


def _try(action: Callable[[], None]) -> Ability:
    try:
        action()
    except DockerceptionError as error:
        return Ability(works=False, reason=str(error))
    return Ability(works=True)


def _try_runtime(sandbox: Sandbox, name: RuntimeName, helper: Ability) -> RuntimeAbility:
    path = process.find(name)
    if path is None:
        return RuntimeAbility(name=name, path="", works=False, reason=f"not installed (apt-get install {name})")
    program = process.find("true")
    if not helper.works or program is None:
        return RuntimeAbility(name=name, path=path, works=False, reason=helper.reason or "there is no program “true”")
    folders = [folder for folder in _HOST_FOLDERS if os.path.isdir(folder)]
    request = RunRequest(
        layers=(),
        args=(os.path.realpath(program),),
        mounts=tuple(Mount(kind="bind", source=os.path.realpath(f), target=f, is_readonly=True) for f in folders),
    )
    try:
        result = sandbox.begin_with(request, Runtime(name, path)).wait()
    except DockerceptionError as error:
        return RuntimeAbility(name=name, path=path, works=False, reason=str(error))
    reason = "" if result.returncode == 0 else result.message or f"“true” exited with code {result.returncode}"
    return RuntimeAbility(name=name, path=path, works=result.returncode == 0, reason=reason)


def _subordinate_ids() -> Ability:
    if os.geteuid() == 0 or idmap.has_subordinate_ids():
        return Ability(works=True)
    return Ability(
        works=False,
        reason="no ranges in /etc/subuid and /etc/subgid, or no newuidmap: files of one owner only"
        " (apt-get install uidmap; usermod --add-subuids 100000-165535 --add-subgids 100000-165535 USER)",
    )


def _save(path: str, found: Abilities) -> None:
    partial = f"{path}.{os.getpid()}"
    try:
        with open(partial, "wb") as file:
            file.write(msgspec.json.encode(found))
        os.replace(partial, path)
    except OSError:
        pass  # only a note to ourselves: the next process looks again
