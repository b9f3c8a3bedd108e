"""What the tests of places share: the kit that is carried there, and the containers that it is carried to."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from places import kit as kits
from places.examples import Workshop
from places.places import PlainContainer, kit_volume
from support import bases, cache
from support.bases import Base
from support.docker import Docker
from support.place import HERE, SINGLE_ID


@pytest.fixture(scope="session")
def workshop(store: Path, session_folder: Path, base: Callable[[str], Base]) -> Workshop:
    """With bases of which one id is enough, where there is only one."""

    def of_one_owner(name: str) -> Base:
        return bases.with_one_owner(base(name), session_folder)

    return Workshop(store, of_one_owner if HERE == SINGLE_ID else base)


@pytest.fixture(scope="session")
def kit() -> Iterator[Path]:
    """Not in pytest's own folder, which is for its user only."""
    with tempfile.TemporaryDirectory(prefix="dockerception-kit-", dir="/var/tmp") as folder:
        yield kits.make(Path(folder))


@pytest.fixture(scope="session")
def container_image(docker: Docker) -> str:
    """The image of the plain containers, in the oracle."""
    rootfs = kits.machine_rootfs()
    name = f"tests-places/{rootfs.name.removesuffix('.tar')}"
    with cache.locked(cache.folder() / "places.load.lock"):
        if not docker.has(name):
            docker.import_rootfs(rootfs, name)
    return name


@pytest.fixture(scope="session")
def container(kit: Path, docker: Docker, container_image: str) -> Iterator[PlainContainer]:
    with kit_volume(docker, container_image, kit) as volume:
        yield PlainContainer(docker, container_image, volume)
