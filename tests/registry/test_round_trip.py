"""Images to a registry and back, with skopeo as the counterpart: digests stay what they are."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from dockerception.errors import ImageError, ImageNotFoundError
from dockerception.oci import media_types
from dockerception.progress import StepProgress
from dockerception.reference import Platform
from registry.lab import Lab, Layout, inspect, raw_manifest, skopeo
from unit.transports.images import sha256, tar_of

ONE = tar_of({"etc/one": b"1" * 5000, "bin/app": b"#!"})
TWO = tar_of({"etc/two": os.urandom(300_000)})
MakeLab = Callable[[str], Lab]


def test_what_is_pushed_comes_back_the_same(lab: Lab, make_lab: MakeLab, either: str, repository: str) -> None:
    image = lab.add(ONE, TWO)
    pushed = lab.push(image, f"{either}/{repository}:1")
    assert pushed.sent > 0
    assert inspect(f"{either}/{repository}:1")["Digest"] == pushed.digest
    pulled = make_lab("other").pull(f"{either}/{repository}:1")
    assert pulled.image.image == image.image
    assert pulled.digest == pushed.digest
    assert pulled.image.config.rootfs.diff_ids == (sha256(ONE), sha256(TWO))


def test_skopeo_reads_every_byte_of_what_is_pushed(lab: Lab, either: str, repository: str, tmp_path: Path) -> None:
    pushed = lab.push(lab.add(ONE, TWO), f"{either}/{repository}:1")
    skopeo("copy", "--src-tls-verify=false", f"docker://{either}/{repository}:1", f"dir:{tmp_path / 'copy'}")
    assert sha256((tmp_path / "copy" / "manifest.json").read_bytes()) == pushed.digest


def test_skopeo_copies_what_is_pushed_with_its_digest(lab: Lab, either: str, repository: str) -> None:
    pushed = lab.push(lab.add(ONE, TWO), f"{either}/{repository}:1")
    places = (f"docker://{either}/{repository}:1", f"docker://{either}/{repository}-copy:1")
    skopeo("copy", "--src-tls-verify=false", "--dest-tls-verify=false", *places)
    assert inspect(f"{either}/{repository}-copy:1")["Digest"] == pushed.digest


def test_an_image_of_skopeo_keeps_its_manifest(
    lab: Lab, make_lab: MakeLab, either: str, repository: str, tmp_path: Path
) -> None:
    layout = Layout(tmp_path / "layout")
    descriptor = layout.image(ONE, TWO)
    layout.copy(descriptor, f"{either}/{repository}:1")
    pulled = lab.pull(f"{either}/{repository}:1")
    assert pulled.digest == descriptor["digest"]
    assert lab.push(pulled.image, f"{either}/{repository}-again:1").digest == descriptor["digest"]
    assert raw_manifest(f"{either}/{repository}-again:1") == raw_manifest(f"{either}/{repository}:1")


def test_docker_s_media_types(lab: Lab, make_lab: MakeLab, registry: str, repository: str) -> None:
    image = lab.add(ONE)
    pushed = lab.push(image, f"{registry}/{repository}:1", oci_mediatypes="false")
    document = json.loads(raw_manifest(f"{registry}/{repository}:1"))
    assert document["mediaType"] == pushed.media_type == media_types.DOCKER_MANIFEST
    assert [layer["mediaType"] for layer in document["layers"]] == [media_types.DOCKER_LAYER_GZIP]
    other = make_lab("other")
    pulled = other.pull(f"{registry}/{repository}:1")
    assert pulled.image.image == image.image
    assert other.push(pulled.image, f"{registry}/{repository}:2").digest == pushed.digest


@pytest.mark.parametrize("compression", ["gzip", "zstd", "uncompressed"])
def test_each_compression_arrives(lab: Lab, make_lab: MakeLab, either: str, repository: str, compression: str) -> None:
    image = lab.add(ONE, TWO)
    lab.push(image, f"{either}/{repository}:1", compression=compression)
    kinds = {layer["mediaType"] for layer in json.loads(raw_manifest(f"{either}/{repository}:1"))["layers"]}
    suffix = "" if compression == "uncompressed" else f"+{compression}"
    assert kinds == {f"application/vnd.oci.image.layer.v1.tar{suffix}"}
    assert make_lab("other").pull(f"{either}/{repository}:1").image.image == image.image


def test_what_was_compressed_once_is_the_same_the_next_time(lab: Lab, registry: str, repository: str) -> None:
    image = lab.add(ONE, TWO)
    first = lab.push(image, f"{registry}/{repository}/a:1")
    again = lab.push(image, f"{registry}/{repository}/a:2")
    elsewhere = lab.push(image, f"{registry}/{repository}/b:1")
    assert first.digest == again.digest == elsewhere.digest
    assert (again.sent, again.mounted, elsewhere.sent, elsewhere.present) == (0, 0, 0, 0)
    assert again.present == elsewhere.mounted == first.sent


def test_layers_that_came_from_elsewhere_keep_their_digests_in_a_new_image(
    lab: Lab, registry: str, repository: str, tmp_path: Path
) -> None:
    layout = Layout(tmp_path / "layout")
    layout.copy(layout.image(ONE), f"{registry}/{repository}:base")
    lab.pull(f"{registry}/{repository}:base")
    pushed = lab.push(lab.add(ONE, TWO), f"{registry}/{repository}-new:1")
    layers = inspect(f"{registry}/{repository}-new:1")["Layers"]
    assert layers[0] == inspect(f"{registry}/{repository}:base")["Layers"][0]
    assert pushed.mounted > 0
    forced = lab.push(lab.add(ONE, TWO), f"{registry}/{repository}-new:2", compression="zstd", force_compression="true")
    assert forced.sent > 0
    assert inspect(f"{registry}/{repository}-new:2")["Layers"][0] != layers[0]


def test_annotations_are_in_the_manifest(lab: Lab, registry: str, repository: str) -> None:
    lab.push(lab.add(ONE), f"{registry}/{repository}:1", **{"annotation.org.example.why": "because"})
    assert json.loads(raw_manifest(f"{registry}/{repository}:1"))["annotations"] == {"org.example.why": "because"}


def test_the_platform_is_chosen(lab: Lab, either: str, repository: str, tmp_path: Path) -> None:
    layout = Layout(tmp_path / "layout")
    index = layout.index(layout.image(ONE), layout.image(TWO, architecture="arm64"))
    layout.copy(index, f"{either}/{repository}:1")
    name = f"{either}/{repository}:1"
    arm = lab.pull(name, Platform.parse("linux/arm64"))
    amd = lab.pull(name, Platform.parse("linux/amd64"))
    assert arm.digest == amd.digest == index["digest"]
    assert arm.image.config.rootfs.diff_ids == (sha256(TWO),)
    assert amd.image.config.rootfs.diff_ids == (sha256(ONE),)
    with pytest.raises(ImageError, match="no manifest for linux/s390x") as caught:
        lab.pull(name, Platform.parse("linux/s390x"))
    assert "linux/amd64, linux/arm64" in caught.value.hint


def test_a_digest_in_a_name_decides(lab: Lab, either: str, repository: str) -> None:
    first = lab.push(lab.add(ONE, name="a"), f"{either}/{repository}:1")
    second = lab.push(lab.add(TWO, name="b"), f"{either}/{repository}:1")
    assert first.digest != second.digest
    for name in (f"{either}/{repository}@{first.digest}", f"{either}/{repository}:1@{first.digest}"):
        assert lab.pull(name).image.config.rootfs.diff_ids == (sha256(ONE),)
    with pytest.raises(ImageNotFoundError, match="is not in the registry"):
        lab.pull(f"{either}/{repository}:1@{sha256(b'')}")


def test_an_image_that_is_here_is_not_read_again(
    lab: Lab, make_proxy: Callable[..., object], registry: str, repository: str
) -> None:
    lab.push(lab.add(ONE, TWO), f"{registry}/{repository}:1")
    pulled = lab.pull(f"{registry}/{repository}:1")
    assert pulled.was_here
    assert f"{registry}/{repository}:1" in lab.names()


def test_progress_tells_how_much_of_how_much(lab: Lab, make_lab: MakeLab, registry: str, repository: str) -> None:
    big = tar_of({"big": os.urandom(3 << 20)})
    pushed = lab.push(lab.add(big), f"{registry}/{repository}:1")
    sent = [event for event in lab.events if isinstance(event, StepProgress)]
    assert (sent[-1].done_bytes, sent[-1].total_bytes) == (pushed.sent, pushed.sent)
    other = make_lab("other")
    other.pull(f"{registry}/{repository}:1")
    come = [event for event in other.events if isinstance(event, StepProgress)]
    assert {event.total_bytes for event in come} == {pushed.sent}
    assert [event.done_bytes for event in come] == sorted(event.done_bytes for event in come)
