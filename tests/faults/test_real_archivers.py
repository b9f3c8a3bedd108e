"""Streams of real archivers and compressors arrive as the directory that they were made of."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from dockerception.context import select
from dockerception.context.directory import DirectoryContext
from dockerception.oci import tarwriter
from faults.streams import written_by
from support.tools import need

_TREE = "-C tree ."


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory ``tree`` with what archivers treat specially: long names, links, holes, odd bytes."""
    root = tmp_path_factory.mktemp("archivers")
    tree = root / "tree"
    deep = tree / ("d" * 90) / ("e" * 90)
    deep.mkdir(parents=True)
    (tree / "Dockerfile").write_text("FROM scratch\nCOPY . /\n")
    (tree / "binary").write_bytes(os.urandom(3 << 20))
    (tree / "empty").touch()
    (tree / "run").write_text("#!/bin/sh\n")
    (tree / "run").chmod(0o6755)
    (tree / "link").symlink_to("../" * 3 + "etc/passwd")
    (tree / "hard").hardlink_to(tree / "run")
    (deep / ("f" * 120)).write_text("deep")
    (tree / os.fsdecode(b"latin-\xe9")).write_text("odd")
    (tree / "ünï").write_text("utf-8")
    with (tree / "sparse").open("wb") as file:
        for position in range(0, 4 << 20, 64 << 10):
            file.seek(position)
            file.write(b"data")
        file.truncate(5 << 20)
    for directory, _, _ in os.walk(tree):
        Path(directory).chmod(0o755)
    return root


def _same(work: Path, command: str, *, without: tuple[str, ...] = ()) -> None:
    """Check that the command's stream has the contents of ``tree``."""
    with written_by(["sh", "-c", command], cwd=str(work), spool=str(work / "spool")) as (context, process):
        assert process.wait() == 0
        expected = {entry.path: entry for entry in DirectoryContext(str(work / "tree")).walk("")}
        got = {entry.path: entry for entry in context.walk("")}
        assert got.keys() == expected.keys() - set(without)
        for path, entry in got.items():
            assert (entry.mode, entry.link or entry.kind) == _unordered(expected[path], entry)
        if not without:
            directory = DirectoryContext(str(work / "tree"))
            for path in ("binary", "sparse", "d" * 90):
                assert select.content_digest(context, path, owners=False) == select.content_digest(
                    directory, path, owners=False
                )


def _unordered(expected: object, got: object) -> tuple[int, str]:
    """What is expected of an entry; of two names of one file, either may be the link."""
    mode, link, kind = expected.mode, expected.link, expected.kind  # type: ignore[attr-defined]
    if expected.path in ("run", "hard"):  # type: ignore[attr-defined]
        return mode, got.link or got.kind  # type: ignore[attr-defined]
    return mode, link or kind


@pytest.mark.parametrize(
    "options", ["gnu", "oldgnu", "posix", "posix --sparse", "gnu --sparse", "posix --sparse --sparse-version=0.0",
                "posix --sparse --sparse-version=0.1", "posix --sparse --sparse-version=1.0"],
)  # fmt: skip
def test_gnu_tar(work: Path, options: str) -> None:
    need("tar")
    _same(work, f"tar -c --format={options} -f - {_TREE}")


@pytest.mark.parametrize("options", ["ustar", "v7"])
def test_old_formats_of_gnu_tar(work: Path, options: str) -> None:
    need("tar")
    long = "d" * 90
    _same(
        work,
        f"tar -c --format={options} -f - --exclude='f*' --exclude='e{long[1:]}*' --exclude=e* {_TREE}",
        without=("empty", f"{long}/{'e' * 90}", f"{long}/{'e' * 90}/{'f' * 120}"),
    )


def test_busybox_tar(work: Path) -> None:
    need("busybox")
    _same(work, f"busybox tar -c -f - {_TREE}")


@pytest.mark.parametrize("tool", ["gzip", "bzip2", "xz", "zstd"])
def test_compressors(work: Path, tool: str) -> None:
    need(tool)
    _same(work, f"tar -c -f - {_TREE} | {tool} -1 -c")


def test_members_of_several_gzip_runs(work: Path) -> None:
    need("gzip")
    _same(work, f"tar -c -f - {_TREE} > all.tar && head -c 1000000 all.tar | gzip && tail -c +1000001 all.tar | gzip")


def test_git_archive_has_a_global_header(work: Path) -> None:
    git = need("git")
    environment = os.environ | {"GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_SYSTEM": "/dev/null"}
    repository = work / "repository"
    repository.mkdir()
    (repository / "Dockerfile").write_text("FROM scratch\n")
    for arguments in (
        ["init", "-q"],
        ["add", "."],
        ["-c", "user.name=a", "-c", "user.email=b@c", "commit", "-qm", "x"],
    ):
        subprocess.run([git, *arguments], cwd=repository, check=True, env=environment)
    command = ["git", "archive", "--format=tar", "HEAD"]
    with written_by(command, cwd=str(repository), spool=str(work / "spool")) as (context, _):
        assert [entry.path for entry in context.walk("")] == ["Dockerfile"]


def test_gnu_tar_unpacks_what_we_write(work: Path) -> None:
    need("tar")
    source = DirectoryContext(str(work / "tree"))
    target = work / "unpacked"
    target.mkdir()
    stream = b"".join(
        bytes(chunk)
        for chunk in tarwriter.write(source.walk(""), lambda entry: (bytes(chunk) for chunk in source.read(entry)))
    )
    command = ["tar", "-x", "-p", "--no-same-owner", "-f", "-"]
    subprocess.run(command, cwd=target, input=stream, check=True)
    assert select.content_digest(DirectoryContext(str(target)), "", owners=False) == select.content_digest(
        source, "", owners=False
    )
    assert os.stat(target / "binary").st_mtime == int(os.stat(work / "tree" / "binary").st_mtime)
