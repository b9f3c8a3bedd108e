"""What this machine can do, found out by doing it, and what to install for the rest."""

from __future__ import annotations

import os
import shutil
from typing import Final

import msgspec

from .. import process
from ..sandbox.client import Sandbox
from ..sandbox.messages import Abilities, Ability, RuntimeAbility
from ..store.store import Store

_MIN_FREE: Final = 2 << 30
_NETWORK_FILE_SYSTEMS: Final = ("nfs", "nfs4", "cifs", "smb3", "fuse.sshfs", "9p", "afs")


class Check(msgspec.Struct, frozen=True, kw_only=True):
    """One finding.  ``needed_for`` says what does not work without it; ``detail`` what was found, or why it does not
    work; ``hint`` what to do.  RUN is impossible unless all that ``is_required`` works."""

    name: str
    works: bool
    needed_for: str
    detail: str = ""
    hint: str = ""
    is_required: bool = False


def examine(store: Store) -> list[Check]:
    """Look at everything, anew: what an earlier look has found may have been mended since."""
    try:
        os.unlink(os.path.join(store.root, "machine.json"))
    except FileNotFoundError:
        pass
    with Sandbox(store.root) as sandbox:
        abilities = sandbox.probe()
    return [*_store_checks(store), *_sandbox_checks(abilities), *_tool_checks()]


def can_run(checks: list[Check]) -> bool:
    """Whether RUN and ``run`` work."""
    return all(check.works for check in checks if check.is_required)


def _sandbox_checks(abilities: Abilities) -> list[Check]:
    first = next((each for each in abilities.runtimes if each.works), None)
    return [
        _from_ability("namespaces", abilities.helper, "RUN, and unpacking images", is_required=True),
        _from_ability("overlay", abilities.overlay, "RUN", is_required=True),
        Check(
            name="runtime",
            works=first is not None,
            needed_for="RUN, and builders",
            detail=f"{first.name} is used" if first else "no OCI runtime works here",
            hint="" if first else "install one, e.g. apt-get install crun",
            is_required=True,
        ),
        *(_runtime(each) for each in abilities.runtimes),
        _from_ability("owners", abilities.subordinate_ids, "images with files of several owners"),
        Check(
            name="cgroups",
            works=True,
            needed_for="nothing yet: steps have no limits",
            detail={"none": "none are mounted"}.get(abilities.cgroups, abilities.cgroups),
        ),
        Check(
            name="network",
            works=True,
            needed_for="RUN, and builders",
            detail="steps use the host's network; --network=none gives them none",
        ),
    ]


def _store_checks(store: Store) -> list[Check]:
    kind = _file_system(store.root)
    free = shutil.disk_usage(store.root).free
    has_xattrs = _has_user_xattrs(store)
    is_remote = kind in _NETWORK_FILE_SYSTEMS
    elsewhere = "set DOCKERCEPTION_HOME to a directory on a local disk"
    return [
        Check(
            name="store",
            works=not is_remote,
            needed_for="everything",
            detail=f"{store.root} on {kind}" + (": its locks and owners can't be relied upon" if is_remote else ""),
            hint=elsewhere if is_remote else "",
        ),
        Check(
            name="xattrs",
            works=has_xattrs,
            needed_for="RUN that replaces directories, and files with capabilities",
            detail="user.* attributes work in the store" if has_xattrs else f"{kind} has no user.* attributes",
            hint="" if has_xattrs else elsewhere,
        ),
        Check(
            name="space",
            works=free >= _MIN_FREE,
            needed_for="building",
            detail=f"{free / 1e9:.1f} GB are free",
            hint="" if free >= _MIN_FREE else "free some space, e.g. with “dockerception prune”",
        ),
    ]


def _tool_checks() -> list[Check]:
    return [
        _tool("mmdebstrap", "mmdebstrap", "apt:// bases"),
        _daemon("docker", ("/run/docker.sock", "/var/run/docker.sock"), "DOCKER_HOST"),
        _daemon("podman", (_podman_socket(),), "CONTAINER_HOST"),
    ]


def _runtime(ability: RuntimeAbility) -> Check:
    return Check(
        name=ability.name,
        works=ability.works,
        needed_for="RUN, where no other runtime works",
        detail=ability.path if ability.works else ability.reason,
    )


def _from_ability(name: str, ability: Ability, needed_for: str, *, is_required: bool = False) -> Check:
    reason, _, hint = ability.reason.partition("\nhint: ")
    return Check(
        name=name, works=ability.works, needed_for=needed_for, detail=reason, hint=hint, is_required=is_required
    )


def _tool(name: str, package: str, needed_for: str) -> Check:
    path = process.find(name)
    return Check(
        name=name,
        works=path is not None,
        needed_for=needed_for,
        detail=path or "not installed",
        hint="" if path else f"apt-get install {package}",
    )


def _daemon(name: str, sockets: tuple[str, ...], variable: str) -> Check:
    chosen = os.environ.get(variable, "")
    found = chosen or next((path for path in sockets if os.path.exists(path)), "")
    return Check(
        name=f"{name} daemon",
        works=bool(found),
        needed_for="--load",
        detail=found or "none listens",
        hint="" if found else f"only if you want --load: start it, or set {variable}",
    )


def _podman_socket() -> str:
    folder = "/run" if os.geteuid() == 0 else os.environ.get("XDG_RUNTIME_DIR", f"/run/user/{os.geteuid()}")
    return f"{folder}/podman/podman.sock"


def _file_system(path: str) -> str:
    """The type of the file system that a path is on, from the longest mount point above it."""
    best, kind = "", "unknown"
    with open("/proc/self/mounts", encoding="utf-8", errors="surrogateescape") as file:
        for line in file:
            _, target, found, *_ = line.split(" ")
            target = target.replace("\\040", " ")
            is_above = path == target or path.startswith(target.rstrip("/") + "/")
            if is_above and len(target) >= len(best):
                best, kind = target, found
    return kind


def _has_user_xattrs(store: Store) -> bool:
    path = store.temporary()
    with open(path, "xb"):
        pass
    try:
        os.setxattr(path, "user.dockerception", b"1")
    except OSError:
        return False
    finally:
        os.unlink(path)
    return True
