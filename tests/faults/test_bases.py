"""Bases that are missing or damaged: what the command says, its exit code, and that nothing is left or named."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from faults import material
from faults.program import Failure, Program, fails
from support.bases import Base

pytestmark = pytest.mark.root

_STOPPED = "stopped early"


class _Bad(msgspec.Struct, frozen=True):
    """What ``--build-context base=`` says (after the folder of ``damaged``), and how the build must fail."""

    source: str
    failure: Failure


def _image(source: str, message: str, hint: str = "", details: str = "") -> _Bad:
    return _Bad(source, Failure(5, "image", message, hint, details))


def _transport(source: str, message: str, hint: str = "") -> _Bad:
    return _Bad(source, Failure(5, "transport", message, hint))


_BAD = {
    "no such archive": _transport("docker-archive:nowhere.tar", "nowhere.tar can't be read: No such file"),
    "no such layout": _transport("oci-layout://nowhere", "no OCI layout .*nowhere"),
    "no such root": _transport("rootfs:nowhere.tar", "nowhere.tar can't be read: No such file"),
    "an archive cut short": _image("docker-archive:cut.tar", "cut.tar is truncated: it ends at byte 500000", _STOPPED),
    "an empty archive": _image("docker-archive:empty.tar", "empty.tar"),
    "an archive of something else": _image("docker-archive:other.tar", "other.tar .*manifest.json"),
    "no archive at all": _image("docker-archive:noise.tar", "noise.tar"),
    "a layer that is not the config's": _image("docker-archive:exchanged.tar", "diff_id|sha256"),
    "a layer that is missing": _image("docker-archive:no-layer.tar", "layer.tar"),
    "a layer that is no tar": _image("docker-archive:layer-of-noise.tar", "Layer 0 of the image"),
    "a config that is no JSON": _image("docker-archive:no-json.tar", "config"),
    "a root cut short": _image("rootfs:cut-root.tar", "Layer 0 of the image is truncated: it ends at byte 500000"),
    "a root of noise": _image("rootfs:noise.tar", "Layer 0 of the image is not a tar archive|Layer 0"),
    "a root that leads out": _image("rootfs:dotdot.tar", "leads out of the archive"),
    "a layout without a blob": _image("oci-layout://layout", "blob|sha256"),
}


@pytest.fixture(scope="module")
def damaged(tmp_path_factory: pytest.TempPathFactory, base: Callable[[str], Base]) -> Path:
    """A folder of images, each damaged in its own way."""
    folder = tmp_path_factory.mktemp("damaged")
    good = base("busybox")
    (folder / "cut.tar").write_bytes(good.archive.read_bytes()[:500_000])
    (folder / "cut-root.tar").write_bytes(good.rootfs.read_bytes()[:500_000])
    (folder / "empty.tar").write_bytes(bytes(1024))
    (folder / "other.tar").write_bytes(material.context())
    (folder / "noise.tar").write_bytes(material.APP)
    (folder / "dotdot.tar").write_bytes(material.context(material.member("../evil", b"evil")))
    layer = material.closed(material.member("file", b"contents"))
    _archive(folder / "exchanged.tar", layer, diff_id="0" * 64)
    _archive(folder / "layer-of-noise.tar", material.APP)
    _archive(folder / "no-layer.tar", None)
    _archive(folder / "no-json.tar", layer, config=b"{not json")
    _layout(folder / "layout")
    return folder


@pytest.mark.parametrize("case", _BAD)
def test_damaged_bases(program: Program, damaged: Path, tmp_path: Path, case: str) -> None:
    bad = _BAD[case]
    scheme, separator, name = bad.source.rpartition("/" if "//" in bad.source else ":")
    named = f"base={scheme}{separator}{damaged / name}"
    (tmp_path / "Dockerfile").write_text("FROM base\nCOPY Dockerfile /\nRUN true\n")
    options = ("--build-context", named)
    done = fails(program, bad.failure, "assemble", *options, tmp_path, folder=tmp_path / "outputs")
    done.has_said(r"\| >>> FROM base")
    if scheme.startswith("docker-archive"):
        loaded = program.run("load", "-i", damaged / name)
        assert (loaded.code, loaded.stdout) == (5, b"")
        program.has_no_leftovers()


def test_a_base_of_another_machine_is_warned_of(program: Program, tmp_path: Path) -> None:
    """Its files may be just what is wanted."""
    _archive(tmp_path / "other.tar", material.closed(material.member("file", b"contents")), architecture="s390x")
    (tmp_path / "Dockerfile").write_text("FROM scratch\nCOPY --from=other file /\n")
    option = f"other=docker-archive:{tmp_path / 'other.tar'}"
    done = program.succeed("assemble", "--progress", "plain", "--build-context", option, tmp_path)
    done.has_said("warning: The image “other” is for linux/s390x, and linux/[a-z0-9]+ was wanted")


def test_a_base_that_is_nowhere(program: Program, tmp_path: Path) -> None:
    """The four places that were tried, and the line to write."""
    (tmp_path / "Dockerfile").write_text("FROM localhost:1/team/base:1\n")
    tried = "no named context, no earlier stage, not in the store, and the registry localhost:1 has not given it"
    option = "--build-context localhost:1/team/base:1=docker-archive:FILE"
    failure = Failure(5, "image-not-found", f"no image “localhost:1/team/base:1”: it is {tried}: .*refused", option)
    done = fails(program, failure, "assemble", tmp_path, folder=tmp_path / "outputs")
    done.has_said(r"\| >>> FROM localhost:1/team/base:1")


def test_sources_that_nobody_knows(program: Program, tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_text("FROM base\n")
    for source, failure in (
        ("htpp://example", Failure(2, "usage", "“htpp://example” does not say what kind", "docker-archive:")),
        ("apt://?inclde=x", Failure(2, "usage", "“inclde” is not known", "did you mean “include”")),
        ("/nowhere", Failure(4, "context", "base=/nowhere does not exist", "give a directory, or a transport")),
    ):
        options = ("--build-context", f"base={source}")
        fails(program, failure, "assemble", *options, tmp_path, folder=tmp_path / f"outputs{failure.message[1:3]}")


def _archive(
    path: Path, layer: bytes | None, *, diff_id: str = "", config: bytes = b"", architecture: str = "amd64"
) -> None:
    """A docker-archive of one layer; what is given replaces what would be right."""
    digest = diff_id or hashlib.sha256(layer or b"").hexdigest()
    right = {
        "architecture": architecture,
        "os": "linux",
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{digest}"]},
    }
    config = config or json.dumps(right).encode()
    manifest = json.dumps([{"Config": "config.json", "RepoTags": ["bad:latest"], "Layers": ["layer.tar"]}]).encode()
    with tarfile.open(path, "w") as archive:
        for name, content in (("config.json", config), ("manifest.json", manifest), ("layer.tar", layer)):
            if content is not None:
                member = tarfile.TarInfo(name)
                member.size = len(content)
                archive.addfile(member, io.BytesIO(content))


def _layout(folder: Path) -> None:
    """An OCI layout whose index names a manifest that is not there."""
    folder.mkdir()
    (folder / "oci-layout").write_text('{"imageLayoutVersion":"1.0.0"}')
    manifest = {"mediaType": "application/vnd.oci.image.manifest.v1+json", "digest": f"sha256:{'1' * 64}", "size": 100}
    (folder / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": [manifest]}))
