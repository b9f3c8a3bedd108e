"""What ``doctor`` says of other programs: tools that are called, daemons that images can go to."""

from __future__ import annotations

import os

from .. import process
from .findings import Check


def checks() -> list[Check]:
    """The findings."""
    return [
        _tool("mmdebstrap", "mmdebstrap", "apt:// bases"),
        _daemon("docker", ("/run/docker.sock", "/var/run/docker.sock"), "DOCKER_HOST"),
        _daemon("podman", (_podman_socket(),), "CONTAINER_HOST"),
    ]


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
