"""ADD of files from a web server, and contexts that a URL names: the same image as Docker's."""

from __future__ import annotations

import io
import os
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from peers.compare import compare
from peers.program import assemble, succeed
from support.docker import Docker
from support.web import Web, running_web


@pytest.fixture
def web(tmp_path: Path) -> Iterator[Web]:
    root = tmp_path / "site"
    (root / "sub").mkdir(parents=True)
    with tarfile.open(root / "sub" / "files.tar.gz", "w:gz") as archive:
        for name, mode in (("d/one", 0o640), ("two", 0o755)):
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode, entry.mtime, entry.uid, entry.gid = 3, mode, 1_600_000_000, 7, 8
            archive.addfile(entry, io.BytesIO(b"abc"))
    (root / "plain.txt").write_text("plain\n")
    for path in (root / "plain.txt", root / "sub" / "files.tar.gz"):
        os.utime(path, (1_500_000_000, 1_500_000_000))
    with running_web(root) as server:
        yield server


@pytest.mark.parametrize(
    "body",
    [
        "ADD {web}/plain.txt /a",
        "ADD {web}/plain.txt {web}/sub/files.tar.gz /dir/",
        "WORKDIR /w\nADD --chown=3:4 --chmod=750 {web}/plain.txt ./there",
        "WORKDIR /w/there\nADD {web}/plain.txt ../there",
        "ADD {web}/plain.txt /a\nADD --link {web}/sub/files.tar.gz /a2",
    ],
)
def test_files(body: str, web: Web, docker: Docker, store: Path, tmp_path: Path) -> None:
    context = tmp_path / "context"
    context.mkdir()
    (context / "Dockerfile").write_text(f"FROM scratch\n{body.format(web=web.address)}\n")
    expected = docker.save(docker.build(context, "--network=host"), tmp_path / "expected.tar")
    succeed(assemble(context, "remote-files", [], store, output=tmp_path / "got.tar"))
    assert compare(expected, tmp_path / "got.tar") == []
