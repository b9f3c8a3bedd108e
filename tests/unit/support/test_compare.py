"""The judge of the peer tests sees every kind of difference, and none where there is none."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from peers.archive import BrokenImageError
from peers.compare import compare, main
from peers.tree import BrokenLayerError

Entry = tuple[str, bytes, dict[str, Any]]


def entry(name: str, kind: bytes = tarfile.REGTYPE, **fields: Any) -> Entry:
    return name, kind, fields


def file(name: str, content: bytes = b"content", **fields: Any) -> Entry:
    return entry(name, content=content, **{"mode": 0o644, **fields})


def folder(name: str, **fields: Any) -> Entry:
    return entry(name, tarfile.DIRTYPE, **{"mode": 0o755, **fields})


def layer(*entries: Entry) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for name, kind, fields in entries:
            member = tarfile.TarInfo(name)
            member.type = kind
            content = fields.get("content", b"")
            member.size = len(content)
            for field, value in fields.items():
                if field != "content":
                    setattr(member, field, value)
            archive.addfile(member, io.BytesIO(content))
    return stream.getvalue()


def add(archive: tarfile.TarFile, name: str, content: bytes) -> None:
    member = tarfile.TarInfo(name)
    member.size = len(content)
    archive.addfile(member, io.BytesIO(content))


def config_of(layers: list[bytes], changes: dict[str, Any]) -> bytes:
    diff_ids = [f"sha256:{hashlib.sha256(one).hexdigest()}" for one in layers]
    document = {"architecture": "amd64", "os": "linux", "config": changes.pop("config", {}), **changes}
    return json.dumps({**document, "rootfs": {"type": "layers", "diff_ids": diff_ids}}).encode()


@pytest.fixture
def image(tmp_path: Path) -> Callable[..., Path]:
    """A function that writes a docker-archive of some layers and returns its path."""
    count = iter(range(100))

    def write(*layers: bytes, **changes: Any) -> Path:
        path = tmp_path / f"{next(count)}.tar"
        with tarfile.open(path, "w") as archive:
            add(archive, "config.json", config_of(list(layers), changes))
            names = [f"{number}/layer.tar" for number in range(len(layers))]
            for name, content in zip(names, layers, strict=True):
                add(archive, name, content)
            add(archive, "manifest.json", json.dumps([{"Config": "config.json", "Layers": names}]).encode())
        return path

    return write


@pytest.fixture
def oci_image(tmp_path: Path) -> Callable[[bytes], Path]:
    """A function that writes an OCI archive of one gzip layer."""

    def write(one: bytes) -> Path:
        path = tmp_path / "oci.tar"
        with tarfile.open(path, "w") as archive:

            def blob(content: bytes) -> dict[str, str]:
                value = hashlib.sha256(content).hexdigest()
                add(archive, f"blobs/sha256/{value}", content)
                return {"digest": f"sha256:{value}"}

            manifest = {"config": blob(config_of([one], {})), "layers": [blob(gzip.compress(one))]}
            index = {"manifests": [blob(json.dumps(manifest).encode())]}
            add(archive, "index.json", json.dumps({"manifests": [blob(json.dumps(index).encode())]}).encode())
        return path

    return write


PLAIN = [folder("etc"), file("etc/name"), entry("etc/link", tarfile.SYMTYPE, linkname="name")]


def test_the_same_image_has_no_differences(image: Callable[..., Path]) -> None:
    path = image(layer(*PLAIN), config={"Env": ["A=b"]})
    assert compare(path, path) == []


def test_names_may_start_with_a_dot_and_a_slash(image: Callable[..., Path]) -> None:
    dotted = [(f"./{name}", kind, fields) for name, kind, fields in PLAIN]
    assert compare(image(layer(*PLAIN)), image(layer(folder("./"), *dotted))) == []


def test_an_oci_archive_is_read_as_well(image: Callable[..., Path], oci_image: Callable[[bytes], Path]) -> None:
    assert compare(image(layer(*PLAIN)), oci_image(layer(*PLAIN))) == []


def test_times_are_not_compared(image: Callable[..., Path]) -> None:
    assert compare(image(layer(file("a", mtime=1))), image(layer(file("a", mtime=2)))) == []


@pytest.mark.parametrize(
    ("expected", "got", "text"),
    [
        (file("a"), file("a", b"other"), "got file 0644 0:0 d9298a10d1b0"),
        (file("a"), file("a", mode=0o600), "expected file 0644 0:0"),
        (file("a"), file("a", mode=0o4644), "got file 4644"),
        (file("a"), file("a", uid=7), "got file 0644 7:0"),
        (file("a"), file("a", gid=7), "got file 0644 0:7"),
        (file("a"), folder("a"), "got directory 0755"),
        (file("a"), entry("a", tarfile.SYMTYPE, linkname="b"), "got symlink"),
        (file("a"), file("a", pax_headers={"SCHILY.xattr.user.note": "x"}), "{'user.note': 'x'}"),
        (
            entry("a", tarfile.CHRTYPE, devmajor=1, devminor=3),
            entry("a", tarfile.CHRTYPE, devmajor=1, devminor=5),
            "1:5",
        ),
        (entry("a", tarfile.FIFOTYPE), entry("a", tarfile.BLKTYPE), "expected fifo"),
    ],
)
def test_a_difference_in_an_entry_is_seen(image: Callable[..., Path], expected: Entry, got: Entry, text: str) -> None:
    (difference,) = compare(image(layer(expected)), image(layer(got)))
    assert difference.where == "/a"
    assert text in difference.what


def test_entries_that_only_one_side_has_are_seen(image: Callable[..., Path]) -> None:
    found = compare(image(layer(file("a"), file("b"))), image(layer(file("b"), file("c"))))
    assert [str(difference) for difference in found] == [
        "/a: is missing",
        "/c: should not be there (file 0644 0:0 ed7002b439e9)",
    ]


def test_two_links_are_not_two_files(image: Callable[..., Path]) -> None:
    linked = image(layer(file("a"), entry("b", tarfile.LNKTYPE, linkname="a")))
    found = compare(linked, image(layer(file("a"), file("b"))))
    assert str(found[0]) == "/a: expected one file with /a, /b, got a file of its own"
    assert len(found) == 2


@pytest.mark.parametrize(
    ("upper", "flat"),
    [
        ([file("d/.wh.a")], [folder("d"), file("d/b")]),
        ([file("d/.wh..wh..opq"), file("d/c")], [folder("d"), file("d/c")]),
        ([file("d/c"), file("d/.wh..wh..opq")], [folder("d"), file("d/c")]),
        ([file(".wh.d")], []),
        ([file("d", b"now a file")], [file("d", b"now a file")]),
        ([folder("d", mode=0o700)], [folder("d", mode=0o700), file("d/a"), file("d/b")]),
        ([file(".wh.d"), folder("d"), file("d/c")], [folder("d"), file("d/c")]),
    ],
)
def test_an_upper_layer_hides_and_replaces(image: Callable[..., Path], upper: list[Entry], flat: list[Entry]) -> None:
    lower = layer(folder("d"), file("d/a"), file("d/b"))
    assert compare(image(lower, layer(*upper)), image(layer(*flat))) == []


def test_replacing_one_name_of_a_file_leaves_the_other(image: Callable[..., Path]) -> None:
    lower = layer(file("a"), entry("b", tarfile.LNKTYPE, linkname="a"))
    assert compare(image(lower, layer(file("a", b"new"))), image(layer(file("a", b"new"), file("b")))) == []


@pytest.mark.parametrize(
    ("left", "right", "where"),
    [
        ({"config": {"Env": ["A=1", "B=2"]}}, {"config": {"Env": ["B=2", "A=1"]}}, "config Env"),
        ({"config": {"Cmd": ["a"]}}, {"config": {}}, "config Cmd"),
        ({"config": {"Volumes": {"/v": {}}}}, {"config": {"Volumes": {"/w": {}}}}, "config Volumes"),
        ({"author": "me"}, {}, "image author"),
        ({"architecture": "arm64"}, {}, "image architecture"),
        ({"history": [{"empty_layer": True}]}, {"history": [{}]}, "image history (steps without a layer)"),
    ],
)
def test_a_difference_in_the_config_is_seen(
    image: Callable[..., Path], left: dict[str, Any], right: dict[str, Any], where: str
) -> None:
    assert [difference.where for difference in compare(image(**left), image(**right))] == [where]


def test_an_absent_field_is_an_empty_one(image: Callable[..., Path]) -> None:
    assert compare(image(config={"OnBuild": None, "Labels": {}, "User": ""}), image()) == []


def test_a_layer_that_is_not_its_diff_id_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "image.tar"
    with tarfile.open(path, "w") as archive:
        add(archive, "config.json", config_of([layer(file("a"))], {}))
        add(archive, "layer.tar", layer(file("b")))
        add(archive, "manifest.json", json.dumps([{"Config": "config.json", "Layers": ["layer.tar"]}]).encode())
    with pytest.raises(BrokenImageError, match=r"layer layer\.tar has diff_id"):
        compare(path, path)


def test_an_entry_below_a_link_is_refused(image: Callable[..., Path]) -> None:
    path = image(layer(entry("bin", tarfile.SYMTYPE, linkname="usr/bin")), layer(file("bin/app")))
    with pytest.raises(BrokenLayerError, match="bin/app lies below bin, which is a symlink"):
        compare(path, path)


def test_the_command_line_prints_the_differences(
    image: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([str(image(layer(file("a")))), str(image())]) == 1
    assert capsys.readouterr().out == "/a: is missing\n"
