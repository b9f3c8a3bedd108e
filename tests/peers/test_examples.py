"""The examples, built by the pipe of 2015 with a real Docker and by dockerception in one go: the same images."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from peers.compare import compare
from peers.program import assemble, build, succeed
from support.bases import Base
from support.docker import Docker
from support.serving import answer, free_port

Bases = Callable[[str], Base]
EXAMPLES = Path(__file__).parents[2] / "examples"
NAMES = ["go-hello", "go-onbuild", "go-scratch"]


def pipe(docker: Docker, name: str) -> str:
    """``docker build | docker run | docker build -``; returns the id of the runtime image."""
    example = EXAMPLES / name
    if name == "go-onbuild":
        docker.build(example / "golang-onbuild", tag="golang-onbuild")
    emitted = docker.run(docker.build(example))
    assert emitted.returncode == 0, emitted.stderr.decode()
    return docker.build(emitted.stdout)


@pytest.mark.parametrize("name", NAMES)
def test_the_pipe_gives_a_small_image_that_answers(name: str, docker: Docker, docker_base: Bases) -> None:
    docker_base("golang")
    docker_base("busybox")
    image = pipe(docker, name)
    assert docker.inspect(image)["Size"] < 10_000_000
    assert served(docker, image) == b"OK\n"


@pytest.mark.parametrize("name", NAMES)
def test_one_build_gives_what_the_pipe_gives(
    name: str, docker: Docker, docker_base: Bases, store: Path, tmp_path: Path
) -> None:
    bases = [docker_base("golang"), docker_base("busybox")]
    expected = docker.save(pipe(docker, name), tmp_path / "expected.tar")
    if name == "go-onbuild":
        succeed(assemble(EXAMPLES / name / "golang-onbuild", "golang-onbuild", bases, store))
    succeed(build(EXAMPLES / name, name, bases, store, output=tmp_path / "got.tar"))
    assert compare(expected, tmp_path / "got.tar") == []


@pytest.mark.parametrize("name", NAMES)
def test_what_one_build_makes_starts_in_docker(
    name: str, docker: Docker, docker_base: Bases, store: Path, tmp_path: Path
) -> None:
    bases = [docker_base("golang"), docker_base("busybox")]
    if name == "go-onbuild":
        succeed(assemble(EXAMPLES / name / "golang-onbuild", "golang-onbuild", bases, store))
    succeed(build(EXAMPLES / name, f"ours-{name}", bases, store, output=tmp_path / "image.tar"))
    assert served(docker, docker.load(tmp_path / "image.tar")) == b"OK\n"


def served(docker: Docker, image: str) -> bytes:
    """What a container of the image answers over HTTP."""
    port = free_port()
    container = docker.command("run", "-d", "--network=host", f"--env=PORT={port}", image).stdout.decode().strip()
    try:
        return answer(port)
    finally:
        docker.command("rm", "--force", container)
