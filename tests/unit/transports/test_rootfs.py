"""Root file systems in (tars, directories) and file trees out (tars, directories)."""

from __future__ import annotations

import gzip
import io
import lzma
import os
import socket
import stat
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from dockerception.errors import ImageError, TransportError
from dockerception.oci import config as oci_config
from dockerception.oci.entry import CHAR, DIRECTORY, FIFO, FILE, HARDLINK, SYMLINK, Entry
from dockerception.oci.toc import Toc
from dockerception.transports import rootfs
from dockerception.transports.base import SourceImage
from unit.transports.images import AMD64, tar_of


class Tree:
    """A context of entries in memory."""

    origin = "the tree"

    def __init__(self, files: dict[str, bytes], *entries: Entry, keeps_owners: bool = True) -> None:
        self.keeps_owners = keeps_owners
        self._files = files
        made = [Entry(path=path, kind=FILE, size=len(data), mtime=5) for path, data in files.items()]
        self._toc = Toc.of([*made, *entries])

    def find(self, path: str) -> Entry | None:
        return self._toc.find(path)

    def children(self, path: str) -> Iterator[Entry]:
        return self._toc.children(path)

    def walk(self, path: str) -> Iterator[Entry]:
        return self._toc.walk(path)

    def digest(self, entry: Entry) -> bytes:
        raise AssertionError("nobody needs it")

    def read(self, entry: Entry) -> Iterator[bytes | memoryview]:
        yield memoryview(self._files[entry.link or entry.path])


def layer(image: SourceImage) -> bytes:
    with image.read_layer(0) as read:
        return b"".join(iter(lambda: read(999), b""))


def members(data: bytes) -> dict[str, tarfile.TarInfo]:
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        return {member.name: member for member in archive}


@pytest.mark.parametrize("compress", [bytes, gzip.compress, lzma.compress], ids=["plain", "gzip", "xz"])
def test_a_tar_becomes_the_layer_byte_for_byte(tmp_path: Path, compress: Callable[[bytes], bytes]) -> None:
    tar = tar_of({"bin/app": b"one" * 9000})
    (tmp_path / "root.tar").write_bytes(compress(tar))
    image = rootfs.open_image(str(tmp_path / "root.tar"), platform=AMD64)
    assert layer(image) == tar
    assert image.layers[0].diff_id == ""
    assert image.layers[0].blob is None
    config = oci_config.decode(image.config_bytes)
    assert (config.platform, config.rootfs.diff_ids) == (AMD64, ())
    before = image.identity
    (tmp_path / "root.tar").write_bytes(compress(tar_of({"bin/app": b"two"})))
    assert rootfs.open_image(str(tmp_path / "root.tar"), platform=AMD64).identity != before


def test_damaged_compressed_data_are_an_image_error(tmp_path: Path) -> None:
    (tmp_path / "root.tar").write_bytes(gzip.compress(tar_of({"a": b"b" * 9999}))[:-20])
    with pytest.raises(ImageError, match="truncated"):
        layer(rootfs.open_image(str(tmp_path / "root.tar"), platform=AMD64))


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(TransportError, match=r"missing\.tar can't be read"):
        rootfs.open_image(str(tmp_path / "missing.tar"), platform=AMD64)


def test_a_directory_becomes_a_canonical_tar(tmp_path: Path) -> None:
    root = tmp_path / "root"
    (root / "b").mkdir(parents=True)
    (root / "b/file").write_bytes(b"data")
    (root / "a-link").symlink_to("/outside")
    os.link(root / "b/file", root / "c-hard")
    os.mkfifo(root / "fifo")
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(root / "socket"))
    for path in (root / "b/file", root / "b", root):
        os.utime(path, (7, 7))
    image = rootfs.open_image(str(root), platform=AMD64)
    found = members(layer(image))
    assert list(found) == [".", "a-link", "b", "b/file", "c-hard", "fifo"]
    assert found["c-hard"].islnk()
    assert found["c-hard"].linkname == "b/file"
    assert found["b/file"].mtime == 7
    assert found["a-link"].linkname == "/outside"
    assert {member.uid for member in found.values()} == {0}
    again = rootfs.open_image(str(root), platform=AMD64)
    assert (again.identity, layer(again)) == (image.identity, layer(image))
    (root / "b/file").write_bytes(b"DATA")
    os.utime(root / "b/file", (7, 7))
    assert rootfs.open_image(str(root), platform=AMD64).identity != image.identity


def test_a_file_that_grows_while_it_is_read_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"data")
    image = rootfs.open_image(str(tmp_path), platform=AMD64)
    (tmp_path / "file").write_bytes(b"more data")
    with pytest.raises(TransportError, match="file changed while it was read"):
        layer(image)


def test_a_tree_is_written_as_a_tar_whose_links_come_after_their_files() -> None:
    tree = Tree(
        {"z": b"data"},
        Entry(path="a", kind=HARDLINK, link="z"),
        Entry(path="b", kind=HARDLINK, link="z"),
        Entry(path="d", kind=DIRECTORY, mode=0o750, uid=7, gid=8),
    )
    chunks: list[bytes] = []
    rootfs.write_tar(tree, chunks.append)
    found = members(b"".join(chunks))
    assert [(name, member.linkname) for name, member in found.items()] == [("a", ""), ("b", "a"), ("d", ""), ("z", "a")]
    assert (found["d"].uid, found["d"].gid, found["d"].mode) == (7, 8, 0o750)
    tree.keeps_owners = False
    chunks.clear()
    rootfs.write_tar(tree, chunks.append)
    assert members(b"".join(chunks))["d"].uid == 0


def test_a_tree_is_written_into_a_directory(tmp_path: Path) -> None:
    tree = Tree(
        {"bin/app": b"program", "etc/conf": b"text"},
        Entry(path="bin", kind=DIRECTORY, mode=0o555, mtime=11),
        Entry(path="bin/hard", kind=HARDLINK, link="bin/app"),
        Entry(path="bin/link", kind=SYMLINK, link="/nowhere", mtime=12),
        Entry(path="bin/fifo", kind=FIFO, mode=0o640),
        Entry(path="dev/null", kind=CHAR, device=(1, 3)),
    )
    notes = rootfs.write_directory(tree, str(tmp_path / "out"))
    out = tmp_path / "out"
    assert notes == ["left out device nodes that the directory can't hold: dev/null"]
    assert (out / "bin/app").read_bytes() == b"program"
    assert (out / "bin/app").stat().st_ino == (out / "bin/hard").stat().st_ino
    assert (out / "bin/link").readlink() == Path("/nowhere")
    assert (out / "bin/link").lstat().st_mtime == 12
    assert stat.S_ISFIFO((out / "bin/fifo").stat().st_mode)
    assert (stat.S_IMODE((out / "bin").stat().st_mode), (out / "bin").stat().st_mtime) == (0o555, 11)
    assert (out / "etc/conf").stat().st_mtime == 5
    assert sorted(os.listdir(out / "bin")) == ["app", "fifo", "hard", "link"]


def test_files_that_are_there_stay_unless_replaced(tmp_path: Path) -> None:
    (tmp_path / "keep").write_text("kept")
    (tmp_path / "old").mkdir()
    (tmp_path / "old/inner").write_text("x")
    (tmp_path / "file").write_text("x")
    rootfs.write_directory(
        Tree({"old": b"now a file", "file/inner": b"y"}, Entry(path="file", kind=DIRECTORY, mode=0o755)), str(tmp_path)
    )
    assert (tmp_path / "keep").read_text() == "kept"
    assert (tmp_path / "old").read_bytes() == b"now a file"
    assert (tmp_path / "file/inner").read_bytes() == b"y"


def test_writing_twice_replaces_hard_links_too(tmp_path: Path) -> None:
    tree = Tree({"a": b"data"}, Entry(path="b", kind=HARDLINK, link="a"))
    for _ in range(2):
        rootfs.write_directory(tree, str(tmp_path))
    assert sorted(os.listdir(tmp_path)) == ["a", "b"]
    assert (tmp_path / "a").stat().st_ino == (tmp_path / "b").stat().st_ino


def test_no_link_is_followed(tmp_path: Path) -> None:
    outside, out = tmp_path / "outside", tmp_path / "out"
    outside.mkdir()
    (outside / "victim").write_text("untouched")
    out.mkdir()
    (out / "folder").symlink_to(outside)
    (out / "file").symlink_to(outside / "victim")
    tree = Tree(
        {"folder/new": b"x", "file": b"y", "hostile/inner": b"z"},
        Entry(path="folder", kind=DIRECTORY, mode=0o755),
        Entry(path="hostile", kind=SYMLINK, link=str(outside)),
    )
    rootfs.write_directory(tree, str(out))
    assert os.listdir(outside) == ["victim"]
    assert (outside / "victim").read_text() == "untouched"
    assert (out / "folder/new").read_bytes() == b"x"
    assert not (out / "file").is_symlink()


def test_what_can_t_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(TransportError, match="can't be written: File exists"):
        rootfs.write_directory(Tree({"a": b"b"}), str(tmp_path / "file"))
