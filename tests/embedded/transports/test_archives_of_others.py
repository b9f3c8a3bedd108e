"""Archives between us and the tools that people use: each accepts what we write, and we read what each wrote."""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from dockerception.transports import docker_archive, oci_layout
from dockerception.transports.base import SourceImage
from dockerception.transports.layout_directory import write_directory
from support.docker import Docker
from support.tools import need, need_root
from unit.transports.images import AMD64, config_of, outgoing, tar_of

LAYERS = (tar_of({"bin/app": os.urandom(20000), "etc/app.conf": b"one"}), tar_of({"etc/app.conf": b"two"}))
NAME = "transport-test:1"


def run(*command: str | Path) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{command}: {done.stderr}"
    return done.stdout


def write_archive(path: Path, write: Callable[..., None], *, compress: bool) -> Path:
    with path.open("wb") as file:
        write(outgoing(*LAYERS, names=(NAME,), compress=compress), file.write)
    return path


Storage = Callable[[str], list[str | Path]]


@pytest.fixture
def storage() -> Iterator[Storage]:
    """The start of a command of podman or buildah whose images are kept apart.  podman wants a short path."""
    with tempfile.TemporaryDirectory(prefix="t") as folder:
        where: list[str | Path] = ["--root", f"{folder}/root", "--runroot", f"{folder}/run", "--storage-driver", "vfs"]
        yield lambda tool: [need(tool), *where]


@pytest.fixture(params=[False, True], ids=["plain", "gzip"])
def docker_tar(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    return write_archive(tmp_path / "docker.tar", docker_archive.write, compress=request.param)


@pytest.fixture(params=[False, True], ids=["plain", "gzip"])
def oci_tar(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    return write_archive(tmp_path / "oci.tar", oci_layout.write, compress=request.param)


def check_contents(image: SourceImage) -> None:
    """The layers' tars are ours; whatever the other tool did to the config, its diff_ids are too."""
    assert json.loads(image.config_bytes)["rootfs"] == json.loads(config_of(*LAYERS))["rootfs"]
    for index, tar in enumerate(LAYERS):
        with image.read_layer(index) as read:
            data = b"".join(iter(lambda: read(1 << 20), b""))
        if data.startswith(b"\x1f\x8b"):
            data = gzip.decompress(data)
        assert hashlib.sha256(data).digest() == hashlib.sha256(tar).digest()
    image.close()


@pytest.mark.parametrize("transport", ["docker-archive", "oci-archive"])
def test_skopeo_takes_a_docker_archive_as_both_of_its_kinds(docker_tar: Path, tmp_path: Path, transport: str) -> None:
    skopeo = need("skopeo")
    seen = json.loads(run(skopeo, "inspect", "--config", f"{transport}:{docker_tar}"))
    assert seen["config"] == {"Env": ["PATH=/bin"], "Cmd": ["/bin/app"]}
    run(skopeo, "copy", "--insecure-policy", f"{transport}:{docker_tar}", f"oci:{tmp_path}/copied:x")
    check_contents(oci_layout.open_image(f"{tmp_path}/copied", tag="x", platform=AMD64))


def test_skopeo_takes_an_oci_archive(oci_tar: Path, tmp_path: Path) -> None:
    skopeo = need("skopeo")
    run(skopeo, "copy", "--insecure-policy", f"oci-archive:{oci_tar}:1", f"docker-archive:{tmp_path}/copied.tar:{NAME}")
    image = docker_archive.open_image(f"{tmp_path}/copied.tar", name=NAME, platform=AMD64)
    assert image.names == (f"docker.io/library/{NAME}",)
    check_contents(image)


def test_skopeo_copies_from_and_to_a_directory(tmp_path: Path) -> None:
    skopeo = need("skopeo")
    write_directory(outgoing(*LAYERS, names=(NAME,), compress=True), str(tmp_path / "layout"))
    run(skopeo, "copy", "--insecure-policy", f"oci:{tmp_path}/layout:1", f"oci-archive:{tmp_path}/copied.tar:y")
    check_contents(oci_layout.open_image(f"{tmp_path}/copied.tar", tag="y", platform=AMD64))


def test_umoci_unpacks_a_directory(tmp_path: Path) -> None:
    need_root()
    umoci = need("umoci")
    write_directory(outgoing(*LAYERS, names=(NAME,), compress=True), str(tmp_path / "layout"))
    run(umoci, "unpack", "--image", f"{tmp_path}/layout:1", tmp_path / "bundle")
    assert (tmp_path / "bundle/rootfs/etc/app.conf").read_bytes() == b"two"


@pytest.mark.parametrize("compress", [False, True], ids=["plain", "gzip"])
@pytest.mark.parametrize("write", [docker_archive.write, oci_layout.write], ids=["docker", "oci"])
def test_podman_loads_and_saves(tmp_path: Path, storage: Storage, write: Callable[..., None], compress: bool) -> None:
    need_root()
    archive = write_archive(tmp_path / "in.tar", write, compress=compress)
    podman = storage("podman")
    assert NAME in run(*podman, "load", "--input", archive)
    [listed] = json.loads(run(*podman, "images", "--format", "json"))
    for kind, opener in (("docker-archive", docker_archive.open_image), ("oci-archive", oci_layout.open_image)):
        target = tmp_path / f"{kind}.tar"
        run(*podman, "save", "--format", kind, "--output", target, listed["Names"][0])
        check_contents(opener(str(target), platform=AMD64))


def test_buildah_pushes_what_we_read(docker_tar: Path, tmp_path: Path, storage: Storage) -> None:
    need_root()
    buildah = storage("buildah")
    run(*buildah, "pull", "--policy", "always", f"docker-archive:{docker_tar}")
    [image] = json.loads(run(*buildah, "images", "--json"))
    for transport, opener in (("docker-archive", docker_archive.open_image), ("oci", oci_layout.open_image)):
        target = tmp_path / transport
        run(*buildah, "push", image["id"], f"{transport}:{target}:{NAME}")
        check_contents(opener(str(target), platform=AMD64))


def test_docker_loads_and_saves(docker_tar: Path, tmp_path: Path, docker: Docker) -> None:
    assert docker.load(docker_tar) == NAME
    assert docker.inspect(NAME)["Id"] == f"sha256:{hashlib.sha256(config_of(*LAYERS)).hexdigest()}"
    saved = docker.save(NAME, tmp_path / "saved.tar")
    image = docker_archive.open_image(str(saved), name=NAME, platform=AMD64)
    assert image.config_bytes == config_of(*LAYERS)
    check_contents(image)
    check_contents(oci_layout.open_image(str(saved), tag="1", platform=AMD64))
    docker.command("rmi", NAME)
