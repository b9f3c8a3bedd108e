"""A builder of buildx in a container of a daemon: its driver is ``docker-container``.

What is real is buildx's own part: it makes and starts the container, waits for it, and speaks through an ``exec`` of
``buildctl dial-stdio``.  No image with BuildKit can be had without a registry, so the container's is busybox with a
``buildctl`` that leads to the BuildKit of the daemon (``support.buildkit``), by the machine's loopback.
"""

from __future__ import annotations

import io
import os
import socket
import subprocess
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from support.bases import Base
from support.buildkit import bridged
from support.docker import Docker
from support.dockerd import CONTAINERD, running_docker

# A name that nobody can pull, and that is known at once: nothing listens on that port.
_IMAGE = "127.0.0.1:9/buildkit:test"
_DOCKERFILE = 'FROM {base}\nENV PATH=/bin\nCOPY --chmod=0755 . /bin/\nENTRYPOINT ["buildkitd"]\n'
_BUILDKITD = "#!/bin/sh\nexec sleep 100000\n"
_BUILDCTL = """#!/bin/sh
case "$*" in
"dial-stdio") exec nc 127.0.0.1 "$BUILDKIT_PORT" ;;
"debug workers") exit 0 ;;
*) echo "this buildctl can't $*" >&2; exit 1 ;;
esac
"""


@contextmanager
def running_container_builder(folder: Path, busybox: Base) -> Iterator[dict[str, str]]:
    """The variables that make buildx find the builder and take it; its container starts with the first build.

    ``folder`` is for the configuration.  The container and its volume are removed in the end.
    """
    name = f"container-builder-{os.getpid()}"
    listening = socket.create_server(("127.0.0.1", 0))
    with running_docker(CONTAINERD) as docker, bridged(listening, docker.socket):
        _make_image(docker, busybox)
        plugins = folder / "config" / "cli-plugins"
        plugins.mkdir(parents=True)
        plugin = (docker.config / "cli-plugins" / "docker-buildx").resolve()
        (plugins / "docker-buildx").symlink_to(plugin)
        environment = {"PATH": os.environ["PATH"], "DOCKER_CONFIG": str(folder / "config")}

        def buildx(*arguments: str) -> None:
            subprocess.run([plugin, *arguments], check=True, capture_output=True, env=environment)

        port = listening.getsockname()[1]
        settings = f"--driver-opt=image={_IMAGE},network=host,env.BUILDKIT_PORT={port}"
        buildx("create", "--driver=docker-container", f"--name={name}", settings, f"unix://{docker.socket}")
        try:
            yield {"DOCKER_CONFIG": environment["DOCKER_CONFIG"], "BUILDX_BUILDER": name}
        finally:
            buildx("rm", name)


def _make_image(docker: Docker, busybox: Base) -> None:
    base = docker.load(busybox.archive)
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        files = {"Dockerfile": _DOCKERFILE.format(base=base), "buildkitd": _BUILDKITD, "buildctl": _BUILDCTL}
        for path, text in {**files, ".dockerignore": "Dockerfile\n.dockerignore\n"}.items():
            member = tarfile.TarInfo(path)
            member.size = len(text.encode())
            archive.addfile(member, io.BytesIO(text.encode()))
    docker.build(stream.getvalue(), tag=_IMAGE)
