"""The examples on every engine: small images that answer, the same as the embedded engine's."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from engines.lab import Lab, differences
from faults.program import Failure
from peers.compare import compare

Labs = Callable[[str], Lab]
EXAMPLES = Path(__file__).parents[2] / "examples"
NAMES = ("go-hello", "go-onbuild", "go-scratch")
BASES = ("golang", "busybox")
MOUNT = re.compile(r"--mount=\S+ ")


def example(lab: Lab, name: str, folder: Path) -> Path:
    """The example's directory; for the classic builder, which knows no RUN --mount, a copy in ``folder`` without it."""
    if lab.name != "docker-classic":
        return EXAMPLES / name
    copy = folder / name
    if not copy.exists():
        shutil.copytree(EXAMPLES / name, copy)
        for dockerfile in copy.rglob("Dockerfile"):
            dockerfile.write_text(MOUNT.sub("", dockerfile.read_text()))
    return copy


def build(lab: Lab, name: str, target: Path) -> Path:
    """Build an example and save the image; returns ``target``."""
    source = example(lab, name, target.parent)
    if name == "go-onbuild":
        lab.succeed("assemble", "-t", "golang-onbuild", source / "golang-onbuild", bases=BASES)
    lab.succeed("build", "-t", f"example-{name}", "-o", f"type=docker,dest={target}", source, bases=BASES)
    return target


@pytest.mark.parametrize("name", NAMES)
def test_the_image_is_that_of_the_embedded_engine(lab: Lab, embedded: Lab, name: str, tmp_path: Path) -> None:
    got = build(lab, name, tmp_path / "got.tar")
    assert f"example-{name}:latest" in lab.names()
    assert lab.containers() == []
    assert os.path.getsize(got) < 10_000_000
    assert differences(lab, build(embedded, name, tmp_path / "expected.tar"), got) == []


def test_the_classic_builder_says_what_it_can_not_do(labs: Labs) -> None:
    done = labs("docker-classic").run("build", EXAMPLES / "go-hello", bases=BASES)
    Failure(3, "not-supported", "Dockerfile has RUN --mount, which Docker's classic builder", "buildx").check(done)


def test_nothing_is_done_twice(lab: Lab, tmp_path: Path) -> None:
    build(lab, "go-hello", tmp_path / "first.tar")
    again = lab.succeed("build", "-t", "example-again", example(lab, "go-hello", tmp_path), bases=BASES)
    assert "Everything was cached" in again.errors
    assert lab.names()["example-again:latest"] == lab.names()["example-go-hello:latest"]


def test_the_two_halves_fit_together(lab: Lab, tmp_path: Path) -> None:
    command = lab.command("context", example(lab, "go-scratch", tmp_path), bases=BASES)
    emitted = subprocess.run(command, capture_output=True, env=lab.environment, check=True).stdout
    lab.succeed("assemble", "-t", "halves", "-", bases=BASES, stdin=emitted)
    whole = build(lab, "go-scratch", tmp_path / "whole.tar")
    lab.succeed("assemble", "-o", f"type=docker,dest={tmp_path}/halves.tar", "-", bases=BASES, stdin=emitted)
    assert compare(whole, tmp_path / "halves.tar") == []
