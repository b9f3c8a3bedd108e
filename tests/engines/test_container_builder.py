"""The driver ``docker-container``: the pipe, a push and a cache, on a builder that a build first starts."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from engines.lab import Daemon, Lab, differences
from faults import material
from faults.program import Failure
from registry.lab import inspect
from support.bases import Base
from support.container_builder import running_container_builder
from support.registry import running_registry

Bases = Callable[[str], Base]


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory, base: Bases) -> Iterator[Lab]:
    """The engine buildx with a store of its own; its builder's container does not run yet."""
    folder = tmp_path_factory.mktemp("container-builder")
    with running_container_builder(folder, base("busybox")) as variables:
        daemon = Daemon(variables=variables, connect=None)
        yield Lab(name="buildx-container", engine="buildx", store=folder / "store", bases=base, daemon=daemon)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A directory with a builder's Dockerfile."""
    folder = tmp_path / "project"
    folder.mkdir()
    material.make(folder)
    return folder


def test_it_is_started_builds_pushes_and_caches(lab: Lab, project: Path, tmp_path: Path) -> None:
    with running_registry(tmp_path / "registry") as address:
        name, cache, meta = f"{address}/app:1", f"type=registry,ref={address}/cache:main", tmp_path / "meta"
        caches = ["--cache-to", f"{cache},mode=max", "--cache-from", cache]
        lab.succeed("build", "--push", "-t", name, *caches, "--metadata-file", meta, project, bases=["busybox"])
        assert json.loads(meta.read_text())["containerimage.digest"] == inspect(name)["Digest"]
        with urllib.request.urlopen(f"http://{address}/v2/cache/tags/list") as answer:
            assert sorted(json.load(answer)["tags"]) == ["main", "main-level-1"]
        again = lab.succeed("build", "-t", name, project, bases=["busybox"])
        assert "Everything was cached" in again.errors
        lab.remove(name)


def test_the_image_is_that_of_the_embedded_engine(lab: Lab, embedded: Lab, project: Path, tmp_path: Path) -> None:
    images = [tmp_path / f"{each.name}.tar" for each in (embedded, lab)]
    for each, image in zip((embedded, lab), images, strict=True):
        each.succeed("build", "--label", "a=b", "-o", f"type=docker,dest={image}", project, bases=["busybox"])
    assert differences(lab, *images) == []


def test_a_builder_that_fails_and_one_that_is_no_builder(lab: Lab, project: Path) -> None:
    done = lab.run("build", "-t", "unwanted", project, "--", "sh", "-c", "echo why >&2; exit 5", bases=["busybox"])
    Failure(1, "builder-failed", "exited with code 5").check(done)
    assert "why" in done.errors
    assert "unwanted:latest" not in lab.names()
