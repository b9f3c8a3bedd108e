"""Paths in a root file system: links are followed, but never out of it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from dockerception.sandbox import mountpoints, rootpath


@pytest.fixture
def root(tmp_path: Path) -> Iterator[int]:
    (tmp_path / "usr/lib").mkdir(parents=True)
    (tmp_path / "usr/lib/file").write_text("x")
    (tmp_path / "lib").symlink_to("usr/lib")
    (tmp_path / "absolute").symlink_to("/usr/lib")
    (tmp_path / "out").symlink_to("../../../../etc")
    (tmp_path / "usr/up").symlink_to("../lib/file")
    (tmp_path / "dangling").symlink_to("/run/later")
    (tmp_path / "loop").symlink_to("loop")
    descriptor = os.open(tmp_path, os.O_RDONLY)
    yield descriptor
    os.close(descriptor)


@pytest.mark.parametrize(
    ("path", "real"),
    [
        ("/", ""),
        ("usr//lib/./file", "usr/lib/file"),
        ("/lib/file", "usr/lib/file"),
        ("/absolute/file", "usr/lib/file"),
        ("/out/passwd", "etc/passwd"),
        ("/../../etc", "etc"),
        ("/lib/../x", "usr/x"),
        ("/usr/up", "usr/lib/file"),
        ("/dangling/pid", "run/later/pid"),
        ("/not/there", "not/there"),
        ("/usr/lib/file/below", "usr/lib/file/below"),
    ],
)
def test_resolve(root: int, path: str, real: str) -> None:
    assert rootpath.resolve(root, path) == real


def test_a_loop_of_links_is_an_error(root: int) -> None:
    with pytest.raises(OSError, match="symbolic links"):
        rootpath.resolve(root, "/loop/x")


def test_open_directory_follows_nothing(root: int) -> None:
    os.close(rootpath.open_directory(root, "usr/lib"))
    for path in ("lib", "usr/lib/file", "missing"):
        with pytest.raises(OSError, match=os.path.basename(path)):
            rootpath.open_directory(root, path)


def test_mount_points_come_and_go(root: int, tmp_path: Path) -> None:
    os.utime(tmp_path / "usr", (1, 1))
    made = mountpoints.make(root, "usr/new/deep/file", is_directory=False)
    made += mountpoints.make(root, "usr/new/folder", is_directory=True)
    assert (tmp_path / "usr/new/deep/file").is_file()
    assert [point.path for point in made] == ["usr/new", "usr/new/deep", "usr/new/deep/file", "usr/new/folder"]
    mountpoints.remove(root, made)
    assert sorted(os.listdir(tmp_path / "usr")) == ["lib", "up"]
    assert (tmp_path / "usr").stat().st_mtime == 1


def test_mount_points_that_were_there_or_are_used_stay(root: int, tmp_path: Path) -> None:
    made = mountpoints.make(root, "usr/lib", is_directory=True)
    assert made == []
    made = mountpoints.make(root, "usr/lib/new/file", is_directory=False)
    (tmp_path / "usr/lib/new/file").write_text("written by the run")
    mountpoints.remove(root, made)
    assert (tmp_path / "usr/lib/new/file").exists()


def test_a_parent_that_changed_meanwhile_keeps_its_time(root: int, tmp_path: Path) -> None:
    made = mountpoints.make(root, "usr/lib/new", is_directory=True)
    os.utime(tmp_path / "usr/lib", (7, 7))
    mountpoints.remove(root, made)
    assert (tmp_path / "usr/lib").stat().st_mtime == 7
