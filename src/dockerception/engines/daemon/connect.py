"""From an engine's name to a daemon that answers and the best builder it has."""

from __future__ import annotations

import os
from typing import Final

from ...errors import TransportError
from ...progress import Reporter
from ...store.store import Store
from ...transports.daemon_client import docker_client, is_podman, podman_client
from ..base import Capabilities
from ..choice import Name
from . import buildkit
from .api import Daemon
from .building import Builder
from .classic import ApiBuilder
from .engine import DaemonEngine

_EPOCH_SINCE: Final = (1, 42)
"""The API of the first Docker (23.0) whose BuildKit gives images the time of SOURCE_DATE_EPOCH, and obeys limits."""


def connect(name: Name, store: Store, report: Reporter) -> DaemonEngine:
    """The engine ``docker`` or ``podman``.  Raises ``TransportError`` where no daemon answers."""
    daemon = find_daemon(name)
    command = find_builder(daemon)
    if command is None:
        builder: Builder = ApiBuilder(daemon)
    else:
        builder = buildkit.BuildKit(command, daemon=daemon.name, scratch=store.scratch, report=report)
    able = capabilities(daemon.name, command, daemon.api_version)
    return DaemonEngine(daemon, builder, able, store, report)


def capabilities(daemon: str, command: buildkit.Command | None, api_version: tuple[int, ...]) -> Capabilities:
    """What a daemon can do with BuildKit's command line, or without it (None)."""
    return Capabilities(
        name=daemon,
        stage_filters=command is not None and command.is_buildx,
        epoch=command is not None and api_version >= _EPOCH_SINCE,
        secrets=command is not None or daemon == "Podman",
        ssh=command is not None,
        insecure=command is not None and command.is_buildx,
        limits=limits_of(api_version, is_buildkit=command is not None),
    )


def limits_of(api_version: tuple[int, ...], *, is_buildkit: bool) -> frozenset[str]:
    """The limits that a builder obeys; an older BuildKit passes all of them over without a word."""
    if not is_buildkit:
        return frozenset({"--memory", "--cpus", "--shm-size", "--ulimit"})
    return buildkit.LIMITS if api_version >= _EPOCH_SINCE else frozenset()


def find_daemon(name: Name) -> Daemon:
    """The daemon of the engine ``docker`` or ``podman``.  Raises ``TransportError`` where none answers."""
    client = docker_client() if name == "docker" else podman_client(must_answer=True)
    if client is None:
        raise _nobody(name)
    return Daemon(client, "Podman" if is_podman(client) else "Docker")


def find_builder(daemon: Daemon) -> buildkit.Command | None:
    """The command line of the daemon's BuildKit; None where it builds by its API."""
    return buildkit.find_command() if daemon.name == "Docker" and wants_buildkit() else None


def wants_buildkit() -> bool:
    """Docker's own switch: ``DOCKER_BUILDKIT=0`` asks for the classic builder."""
    return os.environ.get("DOCKER_BUILDKIT", "").lower() not in ("0", "false")


def _nobody(name: Name) -> TransportError:
    if name == "docker":
        return TransportError(
            "No Docker daemon answers on this machine.",
            hint="start it, point DOCKER_HOST or “docker context use” to one, or build with --engine embedded",
        )
    return TransportError(
        "No Podman service answers on this machine.",
        hint="start one with “systemctl --user start podman.socket” or “podman system service --time 0”, or point"
        " CONTAINER_HOST to one",
    )
