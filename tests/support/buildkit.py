"""A builder of buildx that is no part of a daemon, as those of a cluster are none: its driver is ``remote``.

What answers is the BuildKit of a dockerd with containerd's image store, which can do all that a BuildKit of its own
can.  Its API is behind an upgrade of the daemon's HTTP socket; a socket beside that one leads there.
"""

from __future__ import annotations

import os
import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from support.dockerd import CONTAINERD, running_docker

_NAME = "remote-builder"
_UPGRADE = b"POST /grpc HTTP/1.1\r\nHost: docker\r\nConnection: Upgrade\r\nUpgrade: h2c\r\nContent-Length: 0\r\n\r\n"


@contextmanager
def running_builder(folder: Path) -> Iterator[dict[str, str]]:
    """The variables that make buildx find the builder and take it; ``folder`` is for its socket and configuration."""
    path = os.fspath(folder / "buildkit.sock")
    listening = socket.socket(socket.AF_UNIX)
    listening.bind(path)
    with running_docker(CONTAINERD) as docker, bridged(listening, docker.socket):
        plugins = folder / "config" / "cli-plugins"
        plugins.mkdir(parents=True)
        plugin = docker.config / "cli-plugins" / "docker-buildx"
        (plugins / "docker-buildx").symlink_to(plugin.resolve())
        variables = {"DOCKER_CONFIG": str(folder / "config"), "BUILDX_BUILDER": _NAME}
        subprocess.run(
            [plugin, "create", "--driver=remote", f"--name={_NAME}", f"unix://{path}"],
            check=True,
            capture_output=True,
            env={"PATH": os.environ["PATH"], "DOCKER_CONFIG": variables["DOCKER_CONFIG"]},
        )
        yield variables


@contextmanager
def bridged(listening: socket.socket, daemon: Path) -> Iterator[None]:
    """Who connects to that socket, which is bound, speaks with the daemon's BuildKit for the duration of the block."""
    with listening:
        listening.listen()
        threading.Thread(target=_accept, args=(listening, daemon), daemon=True).start()
        try:
            yield
        finally:
            listening.shutdown(socket.SHUT_RDWR)


def _accept(listening: socket.socket, daemon: Path) -> None:
    with suppress(OSError):  # the end of the tests
        while True:
            client, _ = listening.accept()
            threading.Thread(target=_serve, args=(client, daemon), daemon=True).start()


def _serve(client: socket.socket, daemon: Path) -> None:
    with client, socket.socket(socket.AF_UNIX) as upstream, suppress(OSError):
        upstream.connect(os.fspath(daemon))
        upstream.sendall(_UPGRADE)
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            byte = upstream.recv(1)
            if not byte:
                return
            head += byte
        back = threading.Thread(target=_copy, args=(upstream, client), daemon=True)
        back.start()
        _copy(client, upstream)
        back.join()


def _copy(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(1 << 16):
            target.sendall(data)
    for end in (source, target):
        with suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)
