"""Times of layers that are rewritten: as BuildKit rewrites them, and the same whenever it is done."""

from __future__ import annotations

import gzip
import io
import json
import os
import tarfile
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from engines.conftest import alone
from engines.lab import Lab
from faults.program import Failure
from registry.lab import raw_manifest
from support.registry import running_registry

BUSYBOX = ("busybox",)
EPOCH = 1_700_000_000
OLD, NEW = EPOCH - 100, EPOCH + 100
ARGUMENT = f"--build-arg=SOURCE_DATE_EPOCH={EPOCH}"
# Each execution gives its files times of their own, as if it were done at another time.
TEXT = f"""FROM busybox
RUN mkdir /made && echo new >/made/new && ln /made/new /made/linked && ln -s new /made/symlink && mkfifo /made/fifo \\
 && touch -d @$((1800000000 + $(od -An -N2 -tu2 /dev/urandom))) /made/new && touch -d @{OLD} /made/old /made
RUN rm /made/old && echo again >/made/again
COPY . /copied/
WORKDIR /copied/directory
ARG SOURCE_DATE_EPOCH
ENV EPOCH=$SOURCE_DATE_EPOCH
"""


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A context with an older and newer files."""
    folder = tmp_path / "source"
    (folder / "below").mkdir(parents=True)
    (folder / "Dockerfile").write_text(TEXT)
    for name, time in (("old", OLD), ("new", NEW), ("below/new", NEW), ("below", OLD)):
        path = folder / name
        if not path.exists():
            path.write_text(name)
        os.utime(path, (time, time))
    return folder


class Layout(msgspec.Struct, frozen=True):
    """An OCI layout that was written: the descriptor of its image, its config, and the entries of its layers."""

    descriptor: dict[str, Any]
    config: dict[str, Any]
    layers: list[dict[str, tuple[str, int]]]


def read(path: Path) -> Layout:
    """Read a layout; a layer is the types and times of its entries by their names."""
    with tarfile.open(path) as archive:

        def blob(digest: str) -> bytes:
            found = archive.extractfile(f"blobs/{digest.replace(':', '/')}")
            assert found is not None
            return found.read()

        index = archive.extractfile("index.json")
        assert index is not None
        (descriptor,) = json.loads(index.read())["manifests"]
        manifest = json.loads(blob(descriptor["digest"]))
        layers = [_entries(blob(layer["digest"])) for layer in manifest["layers"]]
        return Layout(descriptor, json.loads(blob(manifest["config"]["digest"])), layers)


def _entries(layer: bytes) -> dict[str, tuple[str, int]]:
    plain = gzip.decompress(layer) if layer[:2] == b"\x1f\x8b" else layer
    with tarfile.open(fileobj=io.BytesIO(plain)) as tar:
        return {member.name: (str(member.type), int(member.mtime)) for member in tar}


def assemble(
    lab: Lab, source: Path, target: Path, *arguments: str, attributes: str = ",rewrite-timestamp=true"
) -> Layout:
    """Assemble into a layout."""
    output = f"type=oci,dest={target}{attributes}"
    lab.succeed("assemble", "-o", output, ARGUMENT, *arguments, source, bases=BUSYBOX)
    return read(target)


@pytest.mark.parametrize("rewrites", [True, False])
def test_layers_have_the_times_that_buildkit_gives_them(
    labs: Callable[[str], Lab], source: Path, tmp_path: Path, rewrites: bool
) -> None:
    attributes = f",rewrite-timestamp={str(rewrites).lower()}"
    expected = assemble(labs("buildx-remote"), source, tmp_path / "expected.tar", "--no-cache", attributes=attributes)
    got = assemble(labs("embedded"), source, tmp_path / "got.tar", "--no-cache", attributes=attributes)
    assert got.layers[0] == expected.layers[0]
    for own, theirs in zip(got.layers, expected.layers, strict=True) if rewrites else ():
        assert own.items() <= theirs.items()
        # BuildKit lists a directory once more in which another one was made.
        assert {kind for name, (kind, _) in theirs.items() if name not in own} <= {str(tarfile.DIRTYPE)}
    times = {time for layer in got.layers[1:] for _, time in layer.values()}
    assert (max(times) == EPOCH) == rewrites
    assert OLD in times
    for layout in (expected, got):
        added = [item["created"] for item in layout.config["history"][-6:]]
        assert set(added) == {layout.config["created"]} == {"2023-11-14T22:13:20Z"}
        assert f"EPOCH={EPOCH}" in layout.config["config"]["Env"]


@pytest.mark.parametrize("name", ["embedded", "buildx-remote"])
def test_builds_at_different_times_give_one_digest(
    labs: Callable[[str], Lab], name: str, source: Path, tmp_path: Path
) -> None:
    lab = labs(name)
    found: dict[str, set[str]] = {"true": set(), "false": set()}
    for number, time in enumerate((NEW, NEW + 50)):
        os.utime(source / "new", (time, time))
        for rewrites, digests in found.items():
            target = tmp_path / f"{number}.tar"
            attributes = f",rewrite-timestamp={rewrites}"
            layout = assemble(lab, source, target, "--no-cache", attributes=attributes)
            digests.add(layout.descriptor["digest"])
    assert len(found["true"]) == 1
    assert len(found["false"]) == 2


def test_the_image_of_the_build_is_the_rewritten_one(labs: Callable[[str], Lab], source: Path, tmp_path: Path) -> None:
    lab = labs("embedded")
    archive, second, identity = tmp_path / "image.tar", tmp_path / "second.tar", tmp_path / "identity"
    lab.succeed(
        "assemble", "-t", "rewritten", "--iidfile", identity, ARGUMENT, "-o", f"type=oci,dest={second}",
        "-o", f"type=oci,dest={archive},rewrite-timestamp=true", source, bases=BUSYBOX,
    )  # fmt: skip
    assert lab.names()["rewritten:latest"] == identity.read_text()
    assert read(archive).descriptor["digest"] == read(second).descriptor["digest"]
    saved = tmp_path / "saved.tar"
    lab.succeed_plain("save", "--format=oci", "-o", str(saved), "rewritten")
    assert read(saved).layers == read(archive).layers
    shown = lab.succeed_plain("run", "rewritten", "stat", "-c", "%Y", "/copied/new", "/copied/old", "/made/new")
    assert shown.stdout.split() == [b"%d" % EPOCH, b"%d" % OLD, b"%d" % EPOCH]
    lab.remove("rewritten")


@pytest.mark.parametrize("name", ["docker", "docker-classic", "docker-20.10", "podman", "buildx"])
def test_what_can_not_rewrite_says_so_before_it_works(
    labs: Callable[[str], Lab], name: str, source: Path, tmp_path: Path
) -> None:
    output = f"type=oci,dest={tmp_path}/x.tar,rewrite-timestamp=true"
    epoch = () if name in ("docker-classic", "docker-20.10", "podman") else (ARGUMENT,)
    done = labs(name).run("assemble", "-o", output, *epoch, source, bases=BUSYBOX)
    if epoch:
        Failure(3, "not-supported", "can't rewrite times of files in layers").check(done)
    else:
        Failure(2, "usage", "rewrite-timestamp=true has no time to rewrite to").check(done)
    assert not (tmp_path / "x.tar").exists()


def test_what_a_builder_pushes_is_rewritten_and_annotated(
    labs: Callable[[str], Lab], source: Path, tmp_path: Path
) -> None:
    lab, identity = labs("buildx-remote"), tmp_path / "identity"
    with running_registry(tmp_path / "registry") as address:
        name = f"{address}/rewritten"
        output = f"type=registry,name={name}:1,rewrite-timestamp=true"
        more = ("--annotation", "k=v", "--iidfile", str(identity))
        lab.succeed("assemble", "-o", output, ARGUMENT, *more, source, bases=BUSYBOX)
        manifest = json.loads(raw_manifest(f"{name}:1"))
        assert manifest["config"]["digest"] == identity.read_text()
        assert manifest["annotations"] == {"k": "v"}
        by_digest = f"type=image,push=true,push-by-digest=true,name={name}:2,rewrite-timestamp=true"
        meta = tmp_path / "meta"
        lab.succeed("assemble", "-o", by_digest, ARGUMENT, "--metadata-file", meta, source, bases=BUSYBOX)
        digest = json.loads(meta.read_text())["containerimage.digest"]
        assert json.loads(raw_manifest(f"{name}@{digest}"))["config"] == manifest["config"]
        with urllib.request.urlopen(f"http://{address}/v2/rewritten/tags/list") as answer:
            assert json.load(answer)["tags"] == ["1"]


def test_several_platforms_are_rewritten(labs: Callable[[str], Lab], tmp_path: Path) -> None:
    folder = tmp_path / "source"
    folder.mkdir()
    (folder / "Dockerfile").write_text("FROM scratch\nCOPY Dockerfile /file\n")
    digests = set()
    for number, time in enumerate((NEW, NEW + 50)):
        os.utime(folder / "Dockerfile", (time, time))
        target, meta = tmp_path / f"{number}.tar", tmp_path / "meta"
        options = ["--platform", "linux/amd64,linux/arm64", "--metadata-file", str(meta), ARGUMENT]
        output = f"type=oci,dest={target},rewrite-timestamp=true,annotation-index.k=v"
        labs("embedded").succeed("assemble", "-o", output, *options, folder)
        with tarfile.open(target) as archive:
            index = archive.extractfile("index.json")
            assert index is not None
            (descriptor,) = json.loads(index.read())["manifests"]
        digests.add(descriptor["digest"])
    assert len(digests) == 1


@pytest.mark.parametrize("name", ["embedded", "docker", "podman", "buildx", "buildx-remote"])
def test_outputs_name_the_image_where_it_is_kept(labs: Callable[[str], Lab], name: str, tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_text("FROM busybox\nLABEL named=by-output\n")
    lab = labs(name)
    with alone(lab):
        lab.succeed("assemble", "-t", "by-tag:1", "-o", "type=image,name=by-output:1", tmp_path, bases=BUSYBOX)
        names = lab.names()
        assert names["by-tag:1"] == names["by-output:1"]
        lab.remove("by-tag:1", "by-output:1")
