"""Each folder of ``examples/`` in the place that this runs in: all of the pipe, the cache, and what the image does."""

from __future__ import annotations

import io
import os
import tarfile
from pathlib import Path

import pytest

from peers.archive import read_image
from peers.compare import compare, differences
from peers.oracle import keep, kept
from places.examples import EXAMPLES, FOLDER, NAMES, Workshop
from support import cache
from support.place import HERE, ROOT


@pytest.mark.parametrize("name", NAMES)
def test_the_whole_chain(name: str, workshop: Workshop, results: Path, tmp_path: Path) -> None:
    """The image is root's, entry by entry; it runs; and nothing is built a second time."""
    expected = kept(root_image(workshop, name, results) if HERE == ROOT else results / f"{name}.example")
    assert expected is not None
    workshop.build(name, tmp_path / "image.tar")
    assert differences(expected, read_image(tmp_path / "image.tar")) == []
    assert b"Everything was cached" in workshop.build(name).stderr
    workshop.try_image(name)


@pytest.mark.parametrize("name", NAMES)
def test_the_two_halves(name: str, workshop: Workshop, tmp_path: Path) -> None:
    """What is emitted; and that the same image is made of it, where its Dockerfile is in it."""
    workshop.build(name, tmp_path / "whole.tar")
    emits = EXAMPLES[name].emits
    if not emits:
        refused = workshop.run("context", FOLDER / name)
        assert refused.returncode == (7 if workshop.lacks_user(name) else 4)
        assert (b"this user's namespace" if workshop.lacks_user(name) else b"found the text") in refused.stderr
        return
    emitted = workshop.succeed("context", FOLDER / name).stdout
    with tarfile.open(fileobj=io.BytesIO(emitted)) as context:
        tops = {os.path.normpath(each).partition("/")[0] for each in context.getnames()}
    assert tops - {"."} == set(emits)
    if "Dockerfile" in emits:
        workshop.succeed("assemble", "-o", f"type=docker,dest={tmp_path}/half.tar", "-", stdin=emitted)
        assert compare(tmp_path / "whole.tar", tmp_path / "half.tar") == []


def root_image(workshop: Workshop, name: str, results: Path) -> Path:
    """What root gets on this machine, kept for all other places."""

    def make(target: Path) -> None:
        archive = target.with_suffix(".tar")
        workshop.build(name, archive)
        keep(read_image(archive), target)
        archive.unlink()

    return cache.once(f"{name}.example", make, results)
