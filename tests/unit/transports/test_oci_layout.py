"""OCI layouts, as directories and archives: round trips, the choice of an image, and damage."""

from __future__ import annotations

import gzip
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dockerception.errors import ImageError, ImageNotFoundError, TransportError
from dockerception.oci import media_types
from dockerception.reference import Platform
from dockerception.transports import oci_layout
from dockerception.transports.file_image import FileImage
from dockerception.transports.layout_directory import write_directory
from unit.transports.images import AMD64, Archive, config_of, outgoing, sha256, tar_of, written

LAYER, OTHER = tar_of({"bin/app": b"one" * 5000}), tar_of({"etc/conf": b"two"})
ARM64 = Platform("linux", "arm64")


def layer_bytes(image: FileImage, index: int = 0) -> bytes:
    with image.read_layer(index) as read:
        return b"".join(iter(lambda: read(777), b""))


def layout() -> Archive:
    return Archive(written(oci_layout.write, outgoing(LAYER, OTHER, compress=True)))


def unpack(archive: Archive, folder: Path) -> str:
    for name, data in archive.files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    return str(folder)


def test_an_archive_is_read_back(tmp_path: Path) -> None:
    path = tmp_path / "app.tar"
    path.write_bytes(gzip.compress(written(oci_layout.write, outgoing(LAYER, OTHER, compress=True))))
    image = oci_layout.open_image(str(path), platform=AMD64, scratch=str(tmp_path))
    assert image.config_bytes == config_of(LAYER, OTHER)
    assert image.names == ("docker.io/library/app:latest",)
    assert [layer.diff_id for layer in image.layers] == [sha256(LAYER), sha256(OTHER)]
    assert gzip.decompress(layer_bytes(image, 1)) == OTHER


def test_a_directory_is_read_back(tmp_path: Path) -> None:
    write_directory(outgoing(LAYER, OTHER), str(tmp_path / "layout"))
    image = oci_layout.open_image(str(tmp_path / "layout"), tag="latest", platform=AMD64)
    assert layer_bytes(image) == LAYER
    assert image.config_bytes == config_of(LAYER, OTHER)


def test_a_directory_has_the_files_of_the_archive(tmp_path: Path) -> None:
    image = outgoing(LAYER, OTHER, names=("app:1", "ghcr.io/me/app:2"))
    write_directory(image, str(tmp_path))
    files = {
        os.path.relpath(os.path.join(root, name), tmp_path): Path(root, name).read_bytes()
        for root, _, names in os.walk(tmp_path)
        for name in names
    }
    assert files == Archive(written(oci_layout.write, image)).files
    entries = json.loads(files["index.json"])["manifests"]
    assert [entry["annotations"] for entry in entries] == [
        {"io.containerd.image.name": "docker.io/library/app:1", "org.opencontainers.image.ref.name": "1"},
        {"io.containerd.image.name": "ghcr.io/me/app:2", "org.opencontainers.image.ref.name": "2"},
    ]


def test_a_directory_keeps_other_images_and_moves_names(tmp_path: Path) -> None:
    for image in (outgoing(LAYER, names=("a",)), outgoing(LAYER, names=("b:1",)), outgoing(OTHER, names=("a",))):
        write_directory(image, str(tmp_path))
    found = {image.names: image.config_bytes for image in oci_layout.open_images(str(tmp_path))}
    assert found == {
        ("docker.io/library/b:1",): config_of(LAYER),
        ("docker.io/library/a:latest",): config_of(OTHER),
    }


def test_a_directory_of_something_else_is_not_touched(tmp_path: Path) -> None:
    (tmp_path / "precious").write_text("text")
    with pytest.raises(ImageError, match="neither empty nor an OCI layout"):
        write_directory(outgoing(LAYER), str(tmp_path))
    assert os.listdir(tmp_path) == ["precious"]


def test_nothing_is_written_through_links(tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    target = tmp_path / "layout"
    target.mkdir()
    (target / "index.json").write_text('{"schemaVersion":2,"manifests":[]}')
    (target / "blobs").symlink_to(tmp_path / "outside")
    with pytest.raises(TransportError, match="is a link"):
        write_directory(outgoing(LAYER), str(target))
    assert os.listdir(tmp_path / "outside") == []


def test_two_platforms_under_one_name_become_an_index(tmp_path: Path) -> None:
    path = tmp_path / "two.tar"
    path.write_bytes(written(oci_layout.write, outgoing(LAYER), outgoing(OTHER, architecture="arm64")))
    entries = Archive(path.read_bytes()).json("index.json")["manifests"]
    assert [entry["mediaType"] for entry in entries] == [media_types.OCI_INDEX]
    assert layer_bytes(oci_layout.open_image(str(path), tag="latest", platform=AMD64)) == LAYER
    assert layer_bytes(oci_layout.open_image(str(path), platform=ARM64)) == OTHER
    with pytest.raises(ImageError, match="no manifest for linux/s390x"):
        oci_layout.open_image(str(path), platform=Platform("linux", "s390x"))
    assert [image.names for image in oci_layout.open_images(str(path))] == [("docker.io/library/app:latest",)] * 2


@pytest.mark.parametrize(
    ("tag", "expected"), [("1", LAYER), ("b:2", OTHER), ("docker.io/library/a:1", LAYER), ("ghcr.io/x/c:3", OTHER)]
)
def test_a_tag_or_a_name_chooses(tmp_path: Path, tag: str, expected: bytes) -> None:
    path = tmp_path / "three.tar"
    images = [outgoing(LAYER, names=("a:1",)), outgoing(OTHER, names=("b:2", "ghcr.io/x/c:3"))]
    path.write_bytes(written(oci_layout.write, *images))
    assert layer_bytes(oci_layout.open_image(str(path), tag=tag, platform=AMD64)) == expected


def test_without_a_tag_latest_is_meant_and_several_others_are_listed(tmp_path: Path) -> None:
    path = tmp_path / "two.tar"
    path.write_bytes(written(oci_layout.write, outgoing(LAYER, names=("a:1",)), outgoing(OTHER, names=("b",))))
    assert layer_bytes(oci_layout.open_image(str(path), platform=AMD64)) == OTHER
    path.write_bytes(written(oci_layout.write, outgoing(LAYER, names=("a:1",)), outgoing(OTHER, names=("b:2",))))
    with pytest.raises(ImageError, match="holds several images") as caught:
        oci_layout.open_image(str(path), platform=AMD64)
    assert "docker.io/library/a:1, docker.io/library/b:2" in caught.value.hint
    with pytest.raises(ImageNotFoundError, match="no image with the tag 3"):
        oci_layout.open_image(str(path), tag="3", platform=AMD64)


def test_a_digest_chooses_also_below_an_index(tmp_path: Path) -> None:
    path = tmp_path / "two.tar"
    path.write_bytes(written(oci_layout.write, outgoing(LAYER), outgoing(OTHER, architecture="arm64")))
    archive = Archive(path.read_bytes())
    index = archive.json("index.json")["manifests"][0]["digest"]
    arm64 = archive.json(f"blobs/sha256/{index[7:]}")["manifests"][1]["digest"]
    assert layer_bytes(oci_layout.open_image(str(path), digest=arm64, platform=AMD64)) == OTHER
    assert layer_bytes(oci_layout.open_image(str(path), digest=index, platform=AMD64)) == LAYER
    with pytest.raises(ImageNotFoundError, match="has no manifest sha256:0000"):
        oci_layout.open_image(str(path), digest=f"sha256:{'0' * 64}", platform=AMD64)


def test_attestations_are_no_images(tmp_path: Path) -> None:
    archive = layout()
    index = archive.json("index.json")
    index["manifests"].append(
        {
            **index["manifests"][0],
            "digest": f"sha256:{'0' * 64}",
            "platform": {"os": "unknown", "architecture": "unknown"},
        }
    )
    archive.set_json("index.json", index)
    path = archive.write(tmp_path / "a.tar")
    assert len(oci_layout.open_images(path)) == 1
    assert oci_layout.open_image(path, platform=AMD64).config_bytes == config_of(LAYER, OTHER)


def manifest_of(archive: Archive) -> Any:
    return archive.json(f"blobs/sha256/{archive.json('index.json')['manifests'][0]['digest'][7:]}")


def replace_manifest(archive: Archive, manifest: Any) -> None:
    data = json.dumps(manifest).encode()
    entry = {"mediaType": media_types.OCI_MANIFEST, "digest": archive.put_blob(data), "size": len(data)}
    archive.set_json("index.json", {"schemaVersion": 2, "manifests": [entry]})


def change_layer(archive: Archive, **changes: object) -> None:
    manifest = manifest_of(archive)
    manifest["layers"][0] |= changes
    replace_manifest(archive, manifest)


def change_manifest(archive: Archive, **changes: object) -> None:
    replace_manifest(archive, {**manifest_of(archive), **changes})


def change_entry(archive: Archive, **changes: object) -> None:
    index = archive.json("index.json")
    index["manifests"][0] |= changes
    archive.set_json("index.json", index)


def spoil(archive: Archive, digest: str) -> None:
    name = f"blobs/sha256/{digest[7:]}"
    archive.files[name] = bytes([archive.files[name][0] ^ 1]) + archive.files[name][1:]


def nest(archive: Archive) -> None:
    entry = archive.json("index.json")["manifests"][0]
    for _ in range(6):
        data = json.dumps({"schemaVersion": 2, "manifests": [entry]}).encode()
        entry = {"mediaType": media_types.OCI_INDEX, "digest": archive.put_blob(data), "size": len(data)}
    archive.set_json("index.json", {"schemaVersion": 2, "manifests": [entry]})


DAMAGES: dict[str, tuple[Callable[[Archive], object], str]] = {
    "no index": (lambda a: a.files.pop("index.json"), "it has no file index.json"),
    "no version": (lambda a: a.files.pop("oci-layout"), "it has no file oci-layout"),
    "other version": (lambda a: a.set_json("oci-layout", {"imageLayoutVersion": "9"}), "of version “9”"),
    "version is a list": (lambda a: a.set_json("oci-layout", []), "oci-layout that is not a valid document"),
    "index is text": (lambda a: a.files.update({"index.json": b"hello"}), "index is not a valid document"),
    "index is empty": (lambda a: a.set_json("index.json", {"schemaVersion": 2, "manifests": []}), "lists none"),
    "digest is a path": (lambda a: change_entry(a, digest="sha256:../../../etc/passwd"), "which is not one"),
    "negative size": (lambda a: change_entry(a, size=-1), "has the size -1"),
    "wrong size": (lambda a: change_entry(a, size=5), "bytes instead of 5"),
    "manifest changed": (lambda a: spoil(a, a.json("index.json")["manifests"][0]["digest"]), "is damaged: its bytes"),
    "config changed": (lambda a: spoil(a, manifest_of(a)["config"]["digest"]), "is damaged: its bytes"),
    "manifest is missing": (lambda a: change_entry(a, digest=f"sha256:{'0' * 64}"), "is missing"),
    "layer is missing": (lambda a: change_layer(a, digest=f"sha256:{'0' * 64}"), "is missing"),
    "layer of wrong size": (lambda a: change_layer(a, size=7), "bytes instead of 7"),
    "layer of unknown type": (lambda a: change_layer(a, mediaType="text/plain"), "of the unknown type text/plain"),
    "too few layers": (lambda a: change_manifest(a, layers=[]), "of 0 layers whose config lists 2"),
    "an artifact": (
        lambda a: change_manifest(a, config={**manifest_of(a)["config"], "mediaType": "application/x"}),
        "no container image there: its config is of type application/x",
    ),
    "indexes without end": (nest, "nested more than"),
}


@pytest.mark.parametrize("kind", ["archive", "directory"])
@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_layout_is_refused_when_it_is_opened(tmp_path: Path, damage: str, kind: str) -> None:
    change, message = DAMAGES[damage]
    archive = layout()
    change(archive)
    path = archive.write(tmp_path / "bad.tar") if kind == "archive" else unpack(archive, tmp_path / "bad")
    with pytest.raises(ImageError) as caught:
        oci_layout.open_image(path, platform=AMD64)
    assert message in caught.value.message


def test_a_changed_layer_is_refused_when_it_is_read(tmp_path: Path) -> None:
    archive = layout()
    spoil(archive, manifest_of(archive)["layers"][1]["digest"])
    image = oci_layout.open_image(unpack(archive, tmp_path), platform=AMD64)
    with pytest.raises(ImageError, match="is damaged: its bytes have the digest"):
        layer_bytes(image, 1)


def test_a_fifo_in_place_of_a_blob_is_refused(tmp_path: Path) -> None:
    archive = layout()
    unpack(archive, tmp_path)
    blob = tmp_path / "blobs/sha256" / manifest_of(archive)["config"]["digest"][7:]
    blob.unlink()
    os.mkfifo(blob)
    with pytest.raises(ImageError, match="is missing"):
        oci_layout.open_image(str(tmp_path), platform=AMD64)


def test_a_docker_archive_and_a_missing_layout_are_told_apart(tmp_path: Path) -> None:
    (tmp_path / "docker.tar").write_bytes(tar_of({"manifest.json": b"[]"}))
    with pytest.raises(ImageError) as caught:
        oci_layout.open_image(str(tmp_path / "docker.tar"), platform=AMD64)
    assert "docker-archive:" in caught.value.hint
    with pytest.raises(TransportError, match=r"There is no OCI layout .*nothing"):
        oci_layout.open_image(str(tmp_path / "nothing"), platform=AMD64)
