"""The names that a ``RUN --mount`` has where it does not say them (Dockerfile reference, "RUN --mount")."""

from __future__ import annotations

import posixpath

from ...dockerfile import instructions as ins
from . import configuring


def target(instruction: ins.Run, mount: ins.Mount, working_dir: str) -> str:
    """Where a mount is in the container, as a clean absolute path; empty for a secret that is a variable only."""
    if mount.target or mount.type not in ("secret", "ssh"):
        return configuring.absolute(mount.target, working_dir)
    if mount.type == "secret":
        return "" if mount.env else f"/run/secrets/{posixpath.basename(secret_id(mount))}"
    agents = [other for other in instruction.mounts if other.type == "ssh"]
    return f"/run/buildkit/ssh_agent.{next(number for number, other in enumerate(agents) if other is mount)}"


def secret_id(mount: ins.Mount) -> str:
    """The id by which the command line knows a secret."""
    return mount.source or mount.id or posixpath.basename(mount.target)


def ssh_id(mount: ins.Mount) -> str:
    """The id by which the command line knows an ssh agent."""
    return mount.id or "default"


def identity(mount: ins.Mount) -> str:
    """What tells this mount from others of its type, besides its target and the files that it shows."""
    return {"secret": secret_id, "ssh": ssh_id}.get(mount.type, lambda one: one.id)(mount)


def cache(mount: ins.Mount, target: str, start: str) -> str:
    """What tells one cache from another: its id, and what it begins with (``start``, a digest in hex, or nothing)."""
    name = mount.id or target
    owner = "" if mount.source else ",".join(f"{value}" for value in (mount.mode, mount.uid, mount.gid))
    return "\0".join((name, owner.replace("None", ""), start)) if owner.strip("None,") or start else name


def agent_socket(instruction: ins.Run, working_dir: str) -> str:
    """What ``SSH_AUTH_SOCK`` is in the container; empty where the RUN asks for no agent."""
    first = next((mount for mount in instruction.mounts if mount.type == "ssh"), None)
    return "" if first is None else target(instruction, first, working_dir)
