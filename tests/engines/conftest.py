"""The engines, each started when a test first asks for it: ``lab`` is one of them, for each test of this folder."""

from __future__ import annotations

import fcntl
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from engines.lab import NAMES, Daemon, Lab, connect_to
from support.bases import Base
from support.buildkit import running_builder
from support.docker import Docker
from support.dockerd import OLD, ORACLE, running_docker
from support.podman import running_podman
from support.tools import need, need_root

Bases = Callable[[str], Base]


@pytest.fixture(scope="session")
def labs(tmp_path_factory: pytest.TempPathFactory, base: Bases) -> Iterator[Callable[[str], Lab]]:
    """A function from a name of ``NAMES`` to the engine; daemons end with the tests."""
    with ExitStack() as running:
        found: dict[str, Lab] = {}

        def get(name: str) -> Lab:
            if name not in found:
                daemon = running.enter_context(_daemon(name, tmp_path_factory.mktemp("client")))
                store = tmp_path_factory.mktemp(name) / "store"
                found[name] = Lab(name=name, engine=name.partition("-")[0], store=store, bases=base, daemon=daemon)
            return found[name]

        yield get


@pytest.fixture(params=NAMES)
def lab(request: pytest.FixtureRequest, labs: Callable[[str], Lab]) -> Iterator[Lab]:
    """Each engine in turn, alone with its daemon: what a test finds there afterwards is its own."""
    found = labs(request.param)
    with alone(found):
        yield found


@contextmanager
def alone(lab: Lab) -> Iterator[None]:
    """Keep the other workers' tests of the same daemon out.  The lock goes with the process, however it ends."""
    address = lab.daemon.variables.get("DOCKER_HOST", "") if lab.daemon is not None else ""
    if not address:
        yield
        return
    with open(f"{address.removeprefix('unix://')}.tests", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@pytest.fixture
def embedded(labs: Callable[[str], Lab]) -> Lab:
    """The embedded engine, which the others are compared with."""
    return labs("embedded")


@contextmanager
def _daemon(name: str, folder: Path) -> Iterator[Daemon | None]:
    need_root()
    if name == "embedded":
        need("crun")
        yield None
    elif name == "buildx-remote":
        with running_builder(folder) as variables:
            yield Daemon(variables=variables, connect=None)
    elif name == "podman":
        with running_podman() as podman:
            yield Daemon(variables={"CONTAINER_HOST": podman.address}, connect=connect_to(podman.address))
    else:
        with running_docker(OLD if name == "docker-20.10" else ORACLE) as docker:
            switch = {"DOCKER_BUILDKIT": "0"} if name == "docker-classic" else {}
            address = f"unix://{docker.socket}"
            yield Daemon(variables={**client_variables(docker, folder), **switch}, connect=connect_to(address))


def client_variables(docker: Docker, folder: Path) -> dict[str, str]:
    """What makes that daemon, and its own command line, the ones that are found."""
    (folder / "docker").symlink_to(docker.program)
    return {
        "DOCKER_HOST": f"unix://{docker.socket}",
        "DOCKER_CONFIG": str(docker.config),
        "PATH": f"{folder}:/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin",
    }
