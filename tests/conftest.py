"""Fixtures that all tests share.  Nothing is made before a test asks for it.

``base("busybox")`` gives a base image (``busybox``, ``debian`` or ``golang``) as a rootfs tar and as a docker-archive;
``docker`` is a client of the oracle, and ``docker_base("busybox")`` also loads the base there.  ``oracle`` is what it
makes of the cases of ``tests/dockerfiles``.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from peers.oracle import Oracle
from support import bases, cache
from support.docker import Docker
from support.dockerd import running_docker
from support.place import KIT


@pytest.fixture(scope="session")
def base() -> Callable[[str], bases.Base]:
    """A function from the name of a base to the base, made at the first call on this machine."""

    def get(name: str) -> bases.Base:
        return bases.carried(name, KIT / "bases") if KIT else bases.BASES[name]()

    return get


@pytest.fixture(scope="session")
def session_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that all test processes of this run have in common."""
    own = tmp_path_factory.getbasetemp()
    return own.parent if "PYTEST_XDIST_WORKER" in os.environ else own


@pytest.fixture(scope="session")
def store(session_folder: Path) -> Path:
    """A store of dockerception's that all test processes of this run use at once, as many builds of a machine do."""
    folder = session_folder / "store"
    folder.mkdir(exist_ok=True)
    return folder


@pytest.fixture(scope="session")
def results(session_folder: Path) -> Path:
    """What has come out on this machine, by name: what other places have to come to is in their kit."""
    folder = KIT / "results" if KIT else session_folder / "results"
    folder.mkdir(exist_ok=True)
    return folder


@pytest.fixture(scope="session")
def docker() -> Iterator[Docker]:
    """The oracle: a real Docker with BuildKit.  It ends when the last test process has ended."""
    with running_docker() as client:
        yield client


@pytest.fixture(scope="session")
def docker_base(docker: Docker, base: Callable[[str], bases.Base]) -> Callable[[str], bases.Base]:
    """As ``base``, and the oracle has the image under its name too."""

    def get(name: str) -> bases.Base:
        found = base(name)
        mark = f"tests-base/{found.archive.name.removesuffix('.docker.tar')}"
        with cache.locked(cache.folder() / f"{name}.load.lock"):
            if not docker.has(mark):
                docker.command("tag", docker.load(found.archive), mark)
            docker.command("tag", mark, f"{name}:latest")
        return found

    return get


@pytest.fixture(scope="session")
def oracle(results: Path, request: pytest.FixtureRequest) -> Oracle:
    """What the peer makes of the cases."""

    def docker() -> Docker:
        base: Callable[[str], bases.Base] = request.getfixturevalue("docker_base")
        for name in ("busybox", "debian"):
            base(name)
        found: Docker = request.getfixturevalue("docker")
        return found

    return Oracle(results, docker)
