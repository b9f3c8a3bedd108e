"""Every case of ``tests/dockerfiles`` on a daemon, and some on every engine, which brings the case to its builder and
gives the image back whole.

What the engine's builder makes of it is compared with what the embedded engine makes of it; what both do otherwise on
purpose is said in the case's ``expect.json``.
"""

from __future__ import annotations

from collections.abc import Callable
from fnmatch import fnmatchcase
from pathlib import Path

import pytest

from engines.lab import Lab, differences
from peers import cases
from peers.cases import Case

EVERYWHERE = (
    "add-archive-links",
    "arg-scopes",
    "cmd-forms",
    "copy-hard-links",
    "copy-merges",
    "from-context",
    "run-deletes",
    "stream",
)
"""Some of each kind that all builders do alike; docs/engines.md says what Podman and old builders do otherwise."""


@pytest.mark.parametrize("name", cases.names())
def test_the_case_is_built(labs: Callable[[str], Lab], embedded: Lab, tmp_path: Path, name: str) -> None:
    compare_engines(labs("docker"), embedded, cases.load(name, tmp_path), tmp_path)


@pytest.mark.parametrize("lab", ["docker-classic", "podman", "buildx-remote"], indirect=True)
def test_cases_of_every_kind_are_built(lab: Lab, embedded: Lab, tmp_path: Path) -> None:
    wrong = {}
    for name in EVERYWHERE:
        folder = tmp_path / name
        folder.mkdir()
        try:
            compare_engines(lab, embedded, cases.load(name, folder), folder)
        except AssertionError as error:
            wrong[name] = str(error)
    assert wrong == {}


def compare_engines(lab: Lab, embedded: Lab, case: Case, folder: Path) -> None:
    """Build a case on both; the images must be the same, or both must fail as the case says."""
    expect = case.expect
    images = []
    for each in (embedded, lab):
        target = folder / f"{each.name}.tar"
        if case.base:
            each.succeed("assemble", "-t", f"{case.name}-base", case.base, bases=expect.bases)
        stream = case.context_tar(folder / "context.tar").read_bytes() if expect.stream else b""
        source = "-" if expect.stream else case.context
        arguments = [*case.arguments, "-o", f"type=docker,dest={target}", source]
        done = each.run("assemble", *arguments, bases=expect.bases, stdin=stream)
        fails = bool(expect.fails) or (expect.refused is not None and each is embedded)
        assert (done.code != 0) == fails, done.errors
        images.append(target)
    if all(image.exists() for image in images):
        deliberate = [one.where for one in expect.differences]
        found = differences(lab, images[1], images[0])
        assert [one for one in found if not any(fnmatchcase(one.where, pattern) for pattern in deliberate)] == []
