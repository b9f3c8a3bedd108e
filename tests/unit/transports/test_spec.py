"""Where an image comes from, as a user writes it."""

from __future__ import annotations

from pathlib import Path

import pytest

from dockerception.errors import ImageError, ImageNotFoundError, TransportError, UsageError
from dockerception.transports import docker_archive, oci_layout
from dockerception.transports.base import SourceImage
from dockerception.transports.layout_directory import write_directory
from dockerception.transports.spec import is_source, open_archive, open_source, parse
from unit.transports.images import AMD64, outgoing, sha256, tar_of, written

LAYER = tar_of({"a": b"b"})
DIGEST = f"sha256:{'0' * 64}"


def open_text(text: str, scratch: Path) -> SourceImage:
    return open_source(parse(text), platform=AMD64, scratch=str(scratch), log=lambda line: None)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("oci-layout:///abs/dir", ("oci-layout", "/abs/dir", "", "")),
        ("oci-layout://rel/dir:v1", ("oci-layout", "rel/dir", "v1", "")),
        (f"oci-layout://rel:v1@{DIGEST}", ("oci-layout", "rel", "v1", DIGEST)),
        ("oci-archive:a.tar", ("oci-archive", "a.tar", "", "")),
        ("docker-archive:a.tar:ghcr.io/me/app:1", ("docker-archive", "a.tar", "ghcr.io/me/app:1", "")),
        ("docker-daemon:app:1", ("docker-daemon", "", "app:1", "")),
        ("rootfs:./root.tar.xz", ("rootfs", "./root.tar.xz", "", "")),
        ("apt://trixie?include=go", ("apt", "", "", "")),
    ],
)
def test_forms(text: str, expected: tuple[str, str, str, str]) -> None:
    spec = parse(text)
    assert (spec.kind, spec.path, spec.name, spec.digest) == expected
    assert is_source(text)


def test_a_path_with_a_colon(tmp_path: Path) -> None:
    path = tmp_path / "app:1.tar"
    path.write_bytes(b"")
    spec = parse(f"docker-archive:{path}:app:2")
    assert (spec.path, spec.name) == (str(path), "app:2")
    assert parse(f"docker-archive:{path}").name == ""


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("ftp://app", "does not say what kind"),
        ("docker://App", "is not an image name"),
        ("./folder", "does not say what kind"),
        ("rootfs:", "names nothing"),
        ("oci-layout://a@sha256:12", "is not a digest"),
        ("apt://?wat=1", "“wat” is not known"),
    ],
)
def test_what_is_wrong_is_named(text: str, message: str) -> None:
    with pytest.raises(UsageError, match=message) as caught:
        parse(text)
    if "kind" in message:
        assert "apt://, oci-layout:" in caught.value.hint
        assert not is_source(text)


def test_each_kind_is_opened(tmp_path: Path) -> None:
    image = outgoing(LAYER, names=("app:1",))
    (tmp_path / "d.tar").write_bytes(written(docker_archive.write, image))
    (tmp_path / "o.tar").write_bytes(written(oci_layout.write, image))
    write_directory(image, str(tmp_path / "layout"))
    for text in (
        f"docker-archive:{tmp_path}/d.tar:app:1",
        f"oci-archive:{tmp_path}/o.tar:1",
        f"oci-layout://{tmp_path}/layout",
    ):
        opened = open_text(text, tmp_path)
        assert opened.identity == sha256(image.config_bytes)
        opened.close()
    (tmp_path / "r.tar").write_bytes(LAYER)
    with open_text(f"rootfs:{tmp_path}/r.tar", tmp_path).read_layer(0) as read:
        assert read(1 << 20) == LAYER
    with pytest.raises(ImageNotFoundError):
        open_text(f"docker-archive:{tmp_path}/d.tar:other", tmp_path)


def test_load_takes_either_kind(tmp_path: Path) -> None:
    images = [outgoing(LAYER, names=("a",)), outgoing(tar_of({"c": b"d"}), names=("b",))]
    (tmp_path / "d.tar").write_bytes(written(docker_archive.write, *images))
    (tmp_path / "o.tar").write_bytes(written(oci_layout.write, *images))
    write_directory(images, str(tmp_path / "layout"))
    for name in ("d.tar", "o.tar", "layout"):
        found = open_archive(str(tmp_path / name), scratch=str(tmp_path))
        assert [image.identity for image in found] == [sha256(image.config_bytes) for image in images]
    (tmp_path / "x.tar").write_bytes(tar_of({"readme": b""}))
    with pytest.raises(ImageError, match="is not"):
        open_archive(str(tmp_path / "x.tar"), scratch=str(tmp_path))


def test_a_daemon_that_is_named_and_does_not_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/none.sock")
    with pytest.raises(TransportError, match="No daemon answers at unix://"):
        open_text("docker-daemon:app", tmp_path)
