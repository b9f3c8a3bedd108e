"""What the options of a build mean is the same on every engine."""

from __future__ import annotations

import io
import json
import tarfile
from pathlib import Path

import pytest

from engines.lab import Lab, differences
from faults.program import Failure
from peers.archive import read_image

BUSYBOX = ("busybox",)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A context whose Dockerfile lies in it."""
    folder = tmp_path / "source"
    folder.mkdir()
    (folder / "file").write_text("content")
    (folder / "kept").write_text("kept")
    (folder / "Dockerfile").write_text(
        "ARG BASE=busybox\n"
        "FROM ${BASE} AS first\nARG WHO=nobody\nRUN echo $WHO >/who\n"
        "FROM busybox AS other\nRUN exit 9\n"
        "FROM first\nCOPY . /all/\nENV A=1\nCMD [\"cat\", \"/who\"]\n"
    )  # fmt: skip
    return folder


def assembled(lab: Lab, target: Path, *arguments: str | Path, stdin: bytes = b"", network: str = "host") -> Path:
    """Assemble and save the image; returns ``target``."""
    output = f"type=docker,dest={target}"
    lab.succeed("assemble", "-o", output, *arguments, bases=BUSYBOX, stdin=stdin, network=network)
    return target


def same(lab: Lab, embedded: Lab, folder: Path, *arguments: str | Path, stdin: bytes = b"") -> Path:
    """Assemble on both; the images must be the same.  Returns the engine's."""
    expected = assembled(embedded, folder / "expected.tar", *arguments, stdin=stdin)
    got = assembled(lab, folder / "got.tar", *arguments, stdin=stdin)
    assert differences(lab, expected, got) == []
    return got


def test_a_target_builds_only_what_it_needs(lab: Lab, embedded: Lab, source: Path, tmp_path: Path) -> None:
    got = same(lab, embedded, tmp_path, "--target", "first", "--build-arg", "WHO=me", source)
    assert "who" in read_image(got).tree


def test_stages_that_are_not_needed_are_not_built(lab: Lab, embedded: Lab, source: Path, tmp_path: Path) -> None:
    if lab.name == "docker-classic":
        Failure(1, "step-failed", "exited with code 9").check(lab.run("assemble", source, bases=BUSYBOX))
    else:
        same(lab, embedded, tmp_path, source)


def test_labels_and_names_go_to_the_image(lab: Lab, tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_text("FROM busybox\nLABEL one=1 two=2\n")
    target = tmp_path / "got.tar"
    assembled(lab, target, "-t", "labelled:1", "-t", "labelled:2", "--label", "two=other", "--label", "three", tmp_path)
    labels = read_image(target).config["config"]["Labels"]
    assert labels == {"one": "1", "two": "other", "three": ""}
    names = lab.names()
    assert names["labelled:1"] == names["labelled:2"]
    assert not [name for name in names if "dockerception.invalid/unlabelled" in name]
    lab.remove("labelled:1", "labelled:2")


def test_a_dockerfile_from_elsewhere_leaves_no_trace(lab: Lab, embedded: Lab, source: Path, tmp_path: Path) -> None:
    (tmp_path / "outside").write_text("FROM scratch\nCOPY . /\n")
    got = same(lab, embedded, tmp_path, "-f", tmp_path / "outside", source)
    assert sorted(path for path in read_image(got).tree if path) == ["Dockerfile", "file", "kept"]


def test_ignore_rules_are_those_beside_the_dockerfile(lab: Lab, embedded: Lab, source: Path, tmp_path: Path) -> None:
    (source / ".dockerignore").write_text("file\n")
    (source / "run.Dockerfile").write_text("FROM scratch\nCOPY . /\n")
    (source / "run.Dockerfile.dockerignore").write_text("*\n!kept\n")
    got = same(lab, embedded, tmp_path, "-f", source / "run.Dockerfile", source)
    assert sorted(path for path in read_image(got).tree if path) == ["kept"]


def test_a_context_on_stdin_belongs_to_root(lab: Lab, embedded: Lab, tmp_path: Path) -> None:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz") as archive:
        for name, data in {"Dockerfile": b"FROM scratch\nCOPY file /\n", "file": b"x", "ignored": b"y"}.items():
            member = tarfile.TarInfo(name)
            member.size, member.uid, member.gid, member.mode = len(data), 1000, 1000, 0o640
            archive.addfile(member, io.BytesIO(data))
    got = same(lab, embedded, tmp_path, "-", stdin=stream.getvalue())
    node = read_image(got).tree["file"]
    assert (node.uid, node.gid, node.mode) == (0, 0, 0o640)


def test_named_contexts_are_images_and_directories(lab: Lab, embedded: Lab, source: Path, tmp_path: Path) -> None:
    files = tmp_path / "files"
    (files / "below").mkdir(parents=True)
    (files / "below" / "one").write_text("1")
    (source / "Dockerfile").write_text(
        "FROM busybox AS unused\n# a comment\nFROM \\\n  busybox\nCOPY --from=files below /below\n"
        "COPY --from=docker.io/library/busybox /etc/group /group\nRUN test -e /below/one\n"
    )
    got = same(lab, embedded, tmp_path, "--build-context", f"files={files}", source)
    assert {"below/one", "group"} <= set(read_image(got).tree)
    assert not [name for name in lab.names() if "dockerception.invalid/files" in name]


def test_no_network_is_none(lab: Lab, tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_text("FROM busybox\nRUN test $(grep -c : /proc/net/dev) = 1\n")
    lab.succeed("assemble", tmp_path, bases=BUSYBOX, network="none")


def test_no_cache_does_it_again(lab: Lab, tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_text("FROM busybox\nRUN cat /proc/sys/kernel/random/uuid >/once\n")
    first = assembled(lab, tmp_path / "1.tar", tmp_path)
    again = assembled(lab, tmp_path / "2.tar", tmp_path)
    anew = assembled(lab, tmp_path / "3.tar", "--no-cache", tmp_path)
    once, same_again, another = (read_image(path).tree["once"].content for path in (first, again, anew))
    assert once == same_again != another


def test_other_outputs_are_written_as_well(lab: Lab, source: Path, tmp_path: Path) -> None:
    (source / "Dockerfile").write_text("FROM scratch\nCOPY file /file\n")
    outputs = [
        f"type=oci,dest={tmp_path}/oci.tar",
        f"type=tar,dest={tmp_path}/files.tar",
        f"type=local,dest={tmp_path}/d",
    ]
    lab.succeed("assemble", *[f"--output={each}" for each in outputs], "--metadata-file", tmp_path / "meta", source)
    assert set(read_image(tmp_path / "oci.tar").tree) - {""} == {"file"}
    assert (tmp_path / "d" / "file").read_text() == "content"
    with tarfile.open(tmp_path / "files.tar") as archive:
        assert archive.getnames() == ["file"]
    metadata = json.loads((tmp_path / "meta").read_text())
    assert metadata["containerimage.config.digest"].startswith("sha256:")
    with tarfile.open(tmp_path / "oci.tar") as archive:
        index = json.load(archive.extractfile("index.json") or io.BytesIO())
    described = metadata["containerimage.descriptor"]
    assert described["digest"] == metadata["containerimage.digest"] == index["manifests"][0]["digest"]
    assert described["size"] == index["manifests"][0]["size"]


def test_several_platforms(lab: Lab, source: Path, tmp_path: Path) -> None:
    (source / "Dockerfile").write_text("FROM scratch\nARG TARGETARCH\nCOPY file /$TARGETARCH\n")
    target = tmp_path / "image.tar"
    done = lab.run("assemble", "--platform=linux/amd64,linux/arm64", "-o", f"type=oci,dest={target}", source)
    if lab.name in ("embedded", "buildx-remote"):
        with tarfile.open(target) as archive:
            index = json.load(archive.extractfile("index.json") or io.BytesIO())
        assert index["manifests"][0]["mediaType"] == "application/vnd.oci.image.index.v1+json"
        return
    Failure(3, "not-supported", "can't keep images for several platforms", "one platform at a time").check(done)
    assert not target.exists()


_WRONG = {
    "a step fails": ("FROM busybox\nRUN echo why >&2; exit 3\n", Failure(1, "step-failed", "code 3", "", "why")),
    "a command is missing": ("FROM busybox\nRUN nosuch\n", Failure(1, "step-failed", "code 127", "127 means")),
    "a file is missing": ("FROM busybox\nCOPY nosuch /\n", Failure(4, "context", "nosuch")),
    "a wrong instruction": ("FROM busybox\nRUNN true\n", Failure(3, "dockerfile", "RUNN")),
}  # fmt: skip


@pytest.mark.parametrize("case", _WRONG)
def test_what_is_wrong_with_a_dockerfile(lab: Lab, tmp_path: Path, case: str) -> None:
    text, failure = _WRONG[case]
    (tmp_path / "Dockerfile").write_text(text)
    failure.check(lab.run("assemble", "-t", "unwanted", tmp_path, bases=BUSYBOX))
    assert "unwanted:latest" not in lab.names()
