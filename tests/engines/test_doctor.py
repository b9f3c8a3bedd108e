"""``doctor`` beside real daemons: who answers where, in which version, and with which builder."""

from __future__ import annotations

import json
import re

import pytest

from engines.lab import Lab

_NUMBER = r"\d+\.\d+\S*"


@pytest.mark.parametrize(
    ("lab", "name", "said"),
    [
        ("docker", "docker", rf"Docker {_NUMBER} at \S+, with BuildKit, by docker buildx"),
        ("docker", "buildx", rf"buildx {_NUMBER} \(/.*\), its builder “default” has the driver docker at default"),
        (
            "docker-classic",
            "docker",
            rf"Docker {_NUMBER} at \S+, with the classic builder \(DOCKER_BUILDKIT asks for that\)",
        ),
        ("docker-20.10", "docker", r"Docker 20\.10\S* at \S+, with BuildKit, by docker build"),
        ("podman", "podman", rf"Podman {_NUMBER} at \S+, which builds by its API"),
        ("buildx-remote", "buildx", rf"buildx {_NUMBER} \(/.*\), its builder “\S+” has the driver remote at \S+"),
    ],
    indirect=["lab"],
)
def test_an_engine_that_answers(lab: Lab, name: str, said: str) -> None:
    checks = {each["name"]: each for each in json.loads(lab.succeed_plain("doctor", "--json").stdout)}
    assert checks[name]["works"], checks[name]
    assert re.fullmatch(said, checks[name]["detail"]), checks[name]["detail"]
