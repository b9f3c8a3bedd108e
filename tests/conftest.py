"""Fixtures that all tests share.  Nothing is made before a test asks for it.

``base("busybox")`` gives a base image (``busybox``, ``debian`` or ``golang``) as a rootfs tar and as a docker-archive;
``docker`` is a client of the oracle, and ``docker_base("busybox")`` also loads the base there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from support import bases, cache
from support.docker import Docker
from support.dockerd import running_docker


@pytest.fixture(scope="session")
def base() -> Callable[[str], bases.Base]:
    """A function from the name of a base to the base, made at the first call on this machine."""

    def get(name: str) -> bases.Base:
        return bases.BASES[name]()

    return get


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
