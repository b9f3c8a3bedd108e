"""The acceptance suite in every place: the examples, the fault table of the pipe, and the comparison with the peer.

It is the same files in each.  Where root works, on this machine, they are tests as all others are; they are carried
to the other places with what has come out here, and must come to the same there.
"""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import pytest

from peers import cases
from peers.oracle import Oracle
from places import kit as kits
from places.examples import NAMES
from places.places import Place, PlainContainer, User, kit_volume
from places.test_examples import root_image
from support.docker import Docker
from support.place import CONTAINER, PLACES, ROOT, USER
from support.users import new_user


class Suite(msgspec.Struct, frozen=True):
    """Test files, and the bases that they need."""

    files: str
    bases: tuple[str, ...]


SUITES = {
    "examples": Suite("tests/places/test_examples.py", ("busybox", "golang")),
    "faults": Suite(
        "tests/faults/test_pipe_builders.py tests/faults/test_pipe_stdin.py tests/faults/test_pipe_streams.py",
        ("busybox",),
    ),
    "peers": Suite("tests/peers/test_dockerfiles.py", ("busybox", "debian")),
}


@pytest.mark.parametrize("name", SUITES)
@pytest.mark.parametrize("where", [each for each in PLACES if each != ROOT])
def test_the_suite(
    where: str, name: str, kit: Path, results: Path, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    known = _KNOWN[name](request, results, tmp_path) if name in _KNOWN else []
    variables = f"CI=1 DOCKERCEPTION_TESTS_PLACE={where} DOCKERCEPTION_TESTS_KIT={{kit}}"
    pytest_there = f"python3 -m pytest -q -p no:cacheprovider --basetemp={{out}}/tmp {SUITES[name].files}"
    command = ["sh", "-c", f"cd {{kit}}/suite && exec env {variables} {pytest_there}"]
    with tempfile.TemporaryDirectory(prefix="dockerception-suite-", dir=kit.parent) as folder:
        suite = kits.for_suite(kit, Path(folder), SUITES[name].bases, known)
        with place(where, suite, request) as there:
            (result,) = there.run(suite, [command], tmp_path / "out")
    said = f"{result.stdout}\n{result.stderr}"[-20_000:]
    assert result.code == 0, said
    assert re.fullmatch(r"\d+ passed in .*", result.stdout.strip().splitlines()[-1]), said


def images_of_the_peer(request: pytest.FixtureRequest, results: Path, work: Path) -> list[Path]:
    """What the peer makes of all cases, and the contexts that it had."""
    oracle: Oracle = request.getfixturevalue("oracle")
    for name in cases.names():
        (work / name).mkdir()
        oracle.image(oracle.case(name, work / name))
    return [*results.glob("*.context"), *results.glob("*.image")]


def images_of_root(request: pytest.FixtureRequest, results: Path, _: Path) -> list[Path]:
    """What root gets of all examples."""
    return [root_image(request.getfixturevalue("workshop"), name, results) for name in NAMES]


_KNOWN = {"examples": images_of_root, "peers": images_of_the_peer}


@contextmanager
def place(where: str, kit: Path, request: pytest.FixtureRequest) -> Iterator[Place]:
    """The place of that name."""
    if where == CONTAINER:
        docker: Docker = request.getfixturevalue("docker")
        image: str = request.getfixturevalue("container_image")
        with kit_volume(docker, image, kit) as volume:
            yield PlainContainer(docker, image, volume)
        return
    with new_user(f"dockerception-{where}-{os.getpid()}", has_subordinate_ids=where == USER) as user:
        yield User(user)
