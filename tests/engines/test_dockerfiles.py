"""Every case of ``tests/dockerfiles`` on a daemon: the engine brings it there whole and gives the image back whole.

What the daemon's builder makes of it is compared with what the embedded engine makes of it; what both do otherwise on
purpose is said in the case's ``expect.json``.
"""

from __future__ import annotations

from collections.abc import Callable
from fnmatch import fnmatchcase
from pathlib import Path

import pytest

from engines.lab import Lab, differences
from peers import cases


@pytest.mark.parametrize("name", cases.names())
def test_the_case_is_built(labs: Callable[[str], Lab], embedded: Lab, tmp_path: Path, name: str) -> None:
    case = cases.load(name, tmp_path)
    expect = case.expect
    images = []
    for lab in (embedded, labs("docker")):
        target = tmp_path / f"{lab.name}.tar"
        if case.base:
            lab.succeed("assemble", "-t", f"{name}-base", case.base, bases=expect.bases)
        stream = case.context_tar(tmp_path / "context.tar").read_bytes() if expect.stream else b""
        source = "-" if expect.stream else case.context
        arguments = [*case.arguments, "-o", f"type=docker,dest={target}", source]
        done = lab.run("assemble", *arguments, bases=expect.bases, stdin=stream)
        fails = bool(expect.fails) or (expect.refused is not None and lab is embedded)
        assert (done.code != 0) == fails, done.errors
        images.append(target)
    if all(image.exists() for image in images):
        deliberate = [one.where for one in expect.differences]
        found = differences(labs("docker"), images[1], images[0])
        assert [one for one in found if not any(fnmatchcase(one.where, each) for each in deliberate)] == []
