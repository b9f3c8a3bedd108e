"""Docker archives: what is written is read back, and what is damaged is refused by name."""

from __future__ import annotations

import gzip
import io
import json
import tarfile
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from dockerception.errors import ImageError, ImageNotFoundError, TransportError, UsageError
from dockerception.oci import media_types
from dockerception.reference import Platform
from dockerception.transports import docker_archive
from dockerception.transports.file_image import FileImage
from unit.transports.images import AMD64, Archive, config_of, outgoing, sha256, tar_of, written

LOWER, UPPER = tar_of({"bin/app": b"one" * 5000}), tar_of({"etc/conf": b"two"})


def layer_bytes(image: FileImage, index: int) -> bytes:
    with image.read_layer(index) as read:
        return b"".join(iter(lambda: read(777), b""))


def archive(*, compress: bool = False) -> Archive:
    return Archive(written(docker_archive.write, outgoing(LOWER, UPPER, compress=compress)))


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    path = tmp_path / "app.tar"
    path.write_bytes(written(docker_archive.write, outgoing(LOWER, UPPER)))
    image = docker_archive.open_image(str(path), platform=AMD64)
    assert image.config_bytes == config_of(LOWER, UPPER)
    assert image.identity == sha256(image.config_bytes)
    assert image.names == ("app:latest",)
    assert [layer.diff_id for layer in image.layers] == [sha256(LOWER), sha256(UPPER)]
    assert [layer_bytes(image, index) for index in (0, 1)] == [LOWER, UPPER]
    assert image.layers[0].blob is not None
    assert image.layers[0].blob.media_type == media_types.OCI_LAYER
    image.close()


def test_compressed_layers_keep_their_blobs(tmp_path: Path) -> None:
    image = docker_archive.open_image(archive(compress=True).write(tmp_path / "a.tar"), platform=AMD64)
    blob = image.layers[0].blob
    assert blob is not None
    assert blob.media_type == media_types.OCI_LAYER_GZIP
    assert gzip.decompress(layer_bytes(image, 0)) == LOWER


def test_equal_images_give_equal_bytes_and_the_time_is_the_image_s() -> None:
    first = written(docker_archive.write, outgoing(LOWER))
    assert first == written(docker_archive.write, outgoing(LOWER))
    with tarfile.open(fileobj=io.BytesIO(first)) as opened:
        assert {member.mtime for member in opened} == {1704164645}
        assert opened.getnames()[:2] == ["index.json", "manifest.json"]


def test_a_layer_that_two_images_share_is_written_once() -> None:
    data = written(docker_archive.write, outgoing(LOWER, names=("a",)), outgoing(LOWER, UPPER, names=("b", "c:1")))
    with tarfile.open(fileobj=io.BytesIO(data)) as opened:
        names = opened.getnames()
    assert len(names) == len(set(names))
    listing = Archive(data).json("manifest.json")
    assert [item["RepoTags"] for item in listing] == [["a:latest"], ["b:latest", "c:1"]]


def test_a_name_is_written_as_the_user_typed_it() -> None:
    data = written(docker_archive.write, outgoing(LOWER, names=("library/app", "ghcr.io/me/app:1")))
    assert Archive(data).json("manifest.json")[0]["RepoTags"] == ["app:latest", "ghcr.io/me/app:1"]


def test_one_name_for_two_platforms_is_refused() -> None:
    with pytest.raises(UsageError, match="several images under the name app:latest"):
        written(docker_archive.write, outgoing(LOWER), outgoing(LOWER, architecture="arm64"))


def test_of_several_images_a_name_chooses(tmp_path: Path) -> None:
    path = tmp_path / "two.tar"
    path.write_bytes(written(docker_archive.write, outgoing(LOWER, names=("a",)), outgoing(UPPER, names=("b",))))
    assert docker_archive.open_image(str(path), name="b", platform=AMD64).config_bytes == config_of(UPPER)
    assert docker_archive.open_image(str(path), name="docker.io/library/a:latest", platform=AMD64).names == (
        "a:latest",
    )
    with pytest.raises(ImageError) as caught:
        docker_archive.open_image(str(path), platform=AMD64)
    assert "a:latest, b:latest" in caught.value.hint
    with pytest.raises(ImageNotFoundError, match="holds no image other") as not_found:
        docker_archive.open_image(str(path), name="other", platform=AMD64)
    assert "a:latest, b:latest" in not_found.value.hint
    assert [image.names for image in docker_archive.open_images(str(path))] == [("a:latest",), ("b:latest",)]


def test_of_several_images_the_platform_chooses(tmp_path: Path) -> None:
    path = tmp_path / "two.tar"
    images = (outgoing(LOWER, names=("a",)), outgoing(LOWER, names=("b",), architecture="arm64"))
    path.write_bytes(written(docker_archive.write, *images))
    image = docker_archive.open_image(str(path), platform=Platform("linux", "arm64"))
    assert image.names == ("b:latest",)


@pytest.mark.parametrize("compress", [gzip.compress, lambda data: data], ids=["gzip", "plain"])
def test_old_archives_with_links_between_layers(tmp_path: Path, compress: Callable[[bytes], bytes]) -> None:
    config = config_of(LOWER, LOWER)
    name = f"{sha256(config)[7:]}.json"
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as opened:
        listing = json.dumps([{"Config": name, "RepoTags": None, "Layers": ["one/layer.tar", "two/layer.tar"]}])
        for path, data in ((name, config), ("one/layer.tar", LOWER), ("manifest.json", listing.encode())):
            member = tarfile.TarInfo(path)
            member.size = len(data)
            opened.addfile(member, io.BytesIO(data))
        link = tarfile.TarInfo("two/layer.tar")
        link.type, link.linkname = tarfile.SYMTYPE, "../one/layer.tar"
        opened.addfile(link)
    path_on_disk = tmp_path / "old.tar"
    path_on_disk.write_bytes(compress(buffer.getvalue()))
    image = docker_archive.open_image(str(path_on_disk), platform=AMD64, scratch=str(tmp_path))
    assert image.names == ()
    assert layer_bytes(image, 1) == LOWER
    assert [path.name for path in tmp_path.iterdir()] == ["old.tar"]


def test_layers_compressed_under_names_without_a_digest_come_as_plain_tars(tmp_path: Path) -> None:
    spoilt = archive()
    spoilt.files["layer.tar"] = gzip.compress(LOWER)
    spoilt.set_json("manifest.json", [{**spoilt.json("manifest.json")[0]}])
    listing = spoilt.json("manifest.json")
    listing[0]["Layers"][0] = "layer.tar"
    spoilt.set_json("manifest.json", listing)
    image = docker_archive.open_image(spoilt.write(tmp_path / "a.tar"), platform=AMD64)
    assert image.layers[0].blob is None
    assert layer_bytes(image, 0) == LOWER
    spoilt.files["layer.tar"] = gzip.compress(UPPER)
    image = docker_archive.open_image(spoilt.write(tmp_path / "b.tar"), platform=AMD64)
    with pytest.raises(ImageError, match=r"layer.tar in the archive .* is damaged: its bytes have the digest"):
        layer_bytes(image, 0)


def change_listing(archive: Archive, **changes: object) -> None:
    archive.set_json("manifest.json", [{**archive.json("manifest.json")[0], **changes}])


def spoil_config(archive: Archive) -> None:
    archive.files[archive.json("manifest.json")[0]["Config"]] += b" "


def spoil_diff_id(archive: Archive) -> None:
    config = json.loads(config_of(LOWER, UPPER))
    config["rootfs"]["diff_ids"][0] = "sha256:../../etc/passwd"
    archive.set_json("conf", config)
    change_listing(archive, Config="conf")


DAMAGES: dict[str, tuple[Callable[[Archive], object], str]] = {
    "no manifest": (lambda a: (a.files.pop("manifest.json"), a.files.pop("index.json")), "it has no manifest.json"),
    "manifest is text": (lambda a: a.files.update({"manifest.json": b"hello"}), "manifest.json that is not a valid"),
    "manifest is an object": (lambda a: a.set_json("manifest.json", {"Config": "x"}), "that is not a valid document"),
    "manifest is empty": (lambda a: a.set_json("manifest.json", []), "holds no image"),
    "config of the wrong type": (lambda a: change_listing(a, Config=5), "that is not a valid document"),
    "config is missing": (lambda a: change_listing(a, Config="other.json"), "it has no file other.json"),
    "config leads out": (
        lambda a: change_listing(a, Config="../../../etc/passwd"),
        "it has no file ../../../etc/passwd",
    ),
    "config is an absolute path": (lambda a: change_listing(a, Config="/etc/passwd"), "it has no file /etc/passwd"),
    "config changed": (spoil_config, "is damaged: its bytes have the digest"),
    "layer is missing": (lambda a: change_listing(a, Layers=["x", "y"]), "it has no file x"),
    "one layer too few": (lambda a: change_listing(a, Layers=[]), "of 0 layers whose config lists 2"),
    "diff_id is a path": (spoil_diff_id, "which is not a digest"),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_archive_is_refused_when_it_is_opened(tmp_path: Path, damage: str) -> None:
    spoil, message = DAMAGES[damage]
    spoilt = archive()
    spoil(spoilt)
    with pytest.raises(ImageError) as caught:
        docker_archive.open_image(spoilt.write(tmp_path / "bad.tar"), platform=AMD64)
    assert message in caught.value.message
    assert "bad.tar" in caught.value.message or "diff_id" in caught.value.message


def test_a_changed_layer_is_refused_before_its_last_bytes(tmp_path: Path) -> None:
    spoilt = archive()
    name = spoilt.json("manifest.json")[0]["Layers"][0]
    spoilt.files[name] = spoilt.files[name].replace(b"oneone", b"ONEONE", 1)
    image = docker_archive.open_image(spoilt.write(tmp_path / "bad.tar"), platform=AMD64)
    received: list[bytes] = []
    with image.read_layer(0) as read, pytest.raises(ImageError, match="is damaged: its bytes have the digest"):
        received.extend(iter(lambda: read(4096), b""))
    assert len(b"".join(received)) < len(LOWER)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "is empty"),
        (b"hello world, this is no tar" * 100, "is no archive .found the text “hello world, this is no tar"),
        (b"Error: no such image\n", "is no archive .found the text “Error: no such image”."),
        (written(docker_archive.write, outgoing(LOWER))[:-1500], "is truncated"),
        (gzip.compress(written(docker_archive.write, outgoing(LOWER)))[:-30], "is truncated"),
        (gzip.compress(bytes(range(256)) * 9, mtime=0)[:60] + b"spoilt" * 9, "damaged|truncated|not a sound"),
    ],
    ids=["empty", "text", "message", "cut", "cut gzip", "bad gzip"],
)
def test_what_is_no_whole_tar_is_refused(tmp_path: Path, data: bytes, message: str) -> None:
    path = tmp_path / "bad.tar"
    path.write_bytes(data)
    with pytest.raises(ImageError, match=message):
        docker_archive.open_image(str(path), platform=AMD64)


def test_other_kinds_of_archives_are_told_apart(tmp_path: Path) -> None:
    for files, hint in (
        ({"index.json": b"{}"}, "oci-archive:"),
        ({"repositories": b"{}"}, "1.10"),
        ({"bin/sh": b"", "etc/passwd": b""}, "rootfs:"),
        ({"notes.txt": b""}, "notes.txt"),
    ):
        path = tmp_path / "other.tar"
        path.write_bytes(tar_of(files))
        with pytest.raises(ImageError) as caught:
            docker_archive.open_image(str(path), platform=AMD64)
        assert hint in caught.value.hint


def test_a_missing_file_and_a_directory_are_named(tmp_path: Path) -> None:
    for path in (tmp_path / "missing.tar", tmp_path):
        with pytest.raises(TransportError, match=f"{path.name} can't be read"):
            docker_archive.open_image(str(path), platform=AMD64)


def test_a_layer_that_is_shorter_than_it_should_be_is_not_written() -> None:
    image = outgoing(LOWER)
    layer = image.layers[0]
    short = msgspec.structs.replace(image, layers=(msgspec.structs.replace(layer, read=lambda: iter([b"x"])),))
    with pytest.raises(ImageError, match="another size"):
        written(docker_archive.write, short)
