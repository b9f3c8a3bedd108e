"""The oracle itself: what the other tests of this folder rest on."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from support.bases import Base
from support.docker import Docker, DockerFailed

Bases = Callable[[str], Base]


def test_it_builds_from_a_loaded_base_and_runs_the_result(docker: Docker, docker_base: Bases, tmp_path: Path) -> None:
    docker_base("busybox")
    (tmp_path / "Dockerfile").write_text('FROM busybox\nRUN echo made > /made\nENTRYPOINT ["cat"]\n')
    image = docker.build(tmp_path)
    assert docker.run(image, "/made").stdout == b"made\n"


def test_it_builds_with_buildkit(docker: Docker, docker_base: Bases) -> None:
    docker_base("busybox")
    image = docker.build(b"FROM busybox\nRUN --mount=type=cache,target=/cache test -d /cache\n")
    assert docker.inspect(image)["Config"]["Cmd"] == ["sh"]


def test_it_takes_a_context_from_a_stream(docker: Docker) -> None:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as context:
        content = b"FROM scratch\nCOPY Dockerfile /kept\n"
        member = tarfile.TarInfo("Dockerfile")
        member.size = len(content)
        context.addfile(member, io.BytesIO(content))
    image = docker.build(stream.getvalue())
    assert docker.inspect(image)["RootFS"]["Layers"]


def test_a_failing_step_fails_the_build(docker: Docker, docker_base: Bases) -> None:
    docker_base("busybox")
    with pytest.raises(DockerFailed, match="exit code: 3"):
        docker.build(b"FROM busybox\nRUN exit 3\n")


def test_a_saved_image_can_be_loaded_again(docker: Docker, docker_base: Bases, tmp_path: Path) -> None:
    docker_base("busybox")
    image = docker.build(b"FROM busybox\nLABEL round=trip\n", tag="oracle-round-trip")
    archive = docker.save("oracle-round-trip", tmp_path / "image.tar")
    docker.command("image", "rm", "--force", image)
    assert docker.load(archive) == "oracle-round-trip:latest"
    assert docker.inspect("oracle-round-trip")["Id"] == image
