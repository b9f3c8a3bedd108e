"""A Docker with containerd's image store, where an image's id is its manifest's digest: the pipe, and names."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from engines.conftest import alone, client_variables
from engines.lab import Daemon, Lab, connect_to, differences
from faults import material
from support.bases import Base
from support.dockerd import CONTAINERD, running_docker

Bases = Callable[[str], Base]


@pytest.fixture(params=["docker", "docker-classic"])
def lab(request: pytest.FixtureRequest, tmp_path: Path, base: Bases) -> Iterator[Lab]:
    """The engine docker with BuildKit and with the daemon's own builder."""
    with running_docker(CONTAINERD) as docker:
        switch = {"DOCKER_BUILDKIT": "0"} if request.param == "docker-classic" else {}
        variables = {**client_variables(docker, tmp_path), **switch}
        daemon = Daemon(variables=variables, connect=connect_to(f"unix://{docker.socket}"))
        found = Lab(name=request.param, engine="docker", store=tmp_path / "store", bases=base, daemon=daemon)
        with alone(found):
            yield found


def test_the_pipe_and_its_names(lab: Lab, embedded: Lab, tmp_path: Path) -> None:
    project = tmp_path / "project"
    project.mkdir()
    material.make(project)
    name, images, meta = f"in-containerd-{tmp_path.name}", [], tmp_path / "meta"
    for each in (embedded, lab):
        images.append(tmp_path / f"{each.name}.tar")
        output = f"type=docker,dest={images[-1]}"
        each.succeed(
            "build", "-t", name, "-t", f"{name}:2", "--label", "a=b", "-o", output, "--metadata-file", meta,
            project, bases=["busybox"],
        )  # fmt: skip
    assert differences(lab, *images) == []
    names = lab.names()
    assert names[f"{name}:latest"] == names[f"{name}:2"] == json.loads(meta.read_text())["containerimage.config.digest"]
    assert lab.containers() == []
    lab.remove(f"{name}:latest", f"{name}:2")
    embedded.remove(name, f"{name}:2")
