"""The examples of nested builds: built by the embedded engine, run, and no larger than what they hold."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from engines.lab import Lab

EXAMPLES = Path(__file__).parents[2] / "examples"
BASES = ("golang", "busybox")


@pytest.mark.parametrize(
    ("name", "verb", "command", "answer", "builders"),
    [
        ("nested-build", "build", (), r"I am 1 of the files here\.\n", 1),
        ("dynamic", "build", ("/bin/greet", "you"), r"Hello, you!\n", 1),
        ("recursive", "build", (), r"Hello World!\n", 2),
        ("in-publish", "assemble", (), r"I run as 1000 and am [0-9a-f]{12}\.\n", 0),
    ],
)
def test_an_example(
    embedded: Lab, tmp_path: Path, name: str, verb: str, command: tuple[str, ...], answer: str, builders: int
) -> None:
    facts = tmp_path / "facts.json"
    embedded.succeed(verb, "-t", name, "--metadata-file", facts, EXAMPLES / name, bases=BASES)
    ran = embedded.succeed_plain("run", name, *command)
    assert re.fullmatch(answer, ran.stdout.decode() + ran.errors)
    assert len(json.loads(facts.read_text())["dockerception.levels"]) == builders
    assert embedded.succeed_plain("levels", str(EXAMPLES / name)).stdout.startswith(b"level 0\n")


def test_what_the_dynamic_one_has_written(embedded: Lab) -> None:
    embedded.succeed("build", "-t", "dynamic", EXAMPLES / "dynamic", bases=BASES)
    (image,) = json.loads(embedded.succeed_plain("inspect", "dynamic").stdout)
    assert image["Config"]["Labels"] == {"programs": "count greet"}
    history = embedded.succeed_plain("history", "--no-trunc", "dynamic").stdout.decode()
    assert "COPY greet /bin/greet" in history
    assert "COPY count /bin/count" in history
