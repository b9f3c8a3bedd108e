"""Repositories, through git's own server: which commit, which files, and what goes wrong."""

from __future__ import annotations

import os
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from dockerception.errors import ContextError, TransportError
from dockerception.oci.entry import FILE
from dockerception.oci.stream_limits import Limits
from dockerception.remotes.locations import GitLocation, parse
from dockerception.remotes.remotes import Fetched, Remotes
from dockerception.store.store import Store
from support.web import Web, commit_of


def fetch(remotes: Remotes, address: str) -> Fetched:
    location = parse(address)
    assert isinstance(location, GitLocation)
    return remotes.repository(location)


def files(fetched: Fetched) -> dict[str, bytes]:
    context = fetched.context
    return {entry.path: b"".join(map(bytes, context.read(entry))) for entry in context.walk("") if entry.kind == FILE}


@pytest.fixture
def address(web: Web) -> str:
    return f"{web.address}/git/project.git"


@pytest.mark.parametrize(
    ("suffix", "name", "text"),
    [
        ("", "main", b"two\n"),
        ("#v1", "v1", b"one\n"),
        ("#refs/tags/v1", "v1", b"one\n"),
        ("?tag=v1", "v1", b"one\n"),
        ("#twin", "refs/heads/twin", b"two\n"),
        ("?tag=twin", "refs/tags/twin", b"one\n"),
        ("#pull/7/head", "v1", b"one\n"),
    ],
)
def test_the_commit_of_a_name(address: str, site: Path, store: Store, suffix: str, name: str, text: bytes) -> None:
    fetched = fetch(Remotes(store, Limits()), address + suffix)
    assert fetched.digest == commit_of(site / "project.git", name)
    assert files(fetched)["docs/text"] == text


def test_a_commit_by_its_id_and_its_checksum(address: str, site: Path, store: Store) -> None:
    commit = commit_of(site / "project.git", "v1")
    assert files(fetch(Remotes(store, Limits()), f"{address}#{commit}:docs")) == {"text": b"one\n"}
    assert fetch(Remotes(store, Limits()), f"{address}?tag=v1&checksum={commit[:10]}").digest == commit
    assert fetch(Remotes(store, Limits()), f"{address}?checksum={commit[:10]}").digest == commit, (
        "what the server lists begins so"
    )
    with pytest.raises(ContextError, match=f"has the commit {commit} there, not 0123456"):
        fetch(Remotes(store, Limits()), f"{address}?tag=v1&checksum=0123456")


def test_modes_and_times_are_those_that_git_knows(address: str, store: Store) -> None:
    old = os.umask(0o077)
    try:
        fetched = fetch(Remotes(store, Limits()), address)
    finally:
        os.umask(old)
    seen = {entry.path: (entry.kind, entry.mode, entry.mtime) for entry in fetched.toc}
    assert seen == {
        "Dockerfile": ("file", 0o644, 1_700_000_000),
        "docs": ("directory", 0o755, 1_700_000_000),
        "docs/text": ("file", 0o644, 1_700_000_000),
        "link": ("symlink", 0o777, 1_700_000_000),
        "run": ("file", 0o755, 1_700_000_000),
    }


def test_what_is_known_is_not_fetched_again(address: str, web: Web, store: Store) -> None:
    remotes = Remotes(store, Limits())
    fetch(remotes, f"{address}#v1")
    before = len(web.asked)
    again = fetch(remotes, f"{address}#v1:docs")
    assert (again.is_cached, files(again)) == (True, {"text": b"one\n"})
    assert all("info/refs" in line or "git-upload-pack" in line for line in web.asked[before:])
    assert len(web.asked) - before <= 2  # which refs there are, and no commit


def test_the_git_directory_is_kept_on_request(address: str, store: Store, tmp_path: Path) -> None:
    fetched = fetch(Remotes(store, Limits()), f"{address}?keep-git-dir=1")
    names = set(files(fetched))
    assert {".git/HEAD", ".git/config"} <= names
    assert not any(name.startswith(".git") for name in files(fetch(Remotes(store, Limits()), address)))


def test_a_server_that_can_only_show_files(web: Web, site: Path, store: Store) -> None:
    subprocess.run(["git", "-C", str(site / "project.git"), "update-server-info"], check=True)
    assert files(fetch(Remotes(store, Limits()), f"{web.address}/project.git#v1"))["docs/text"] == b"one\n"


def test_the_protocol_of_git_itself(site: Path, store: Store) -> None:
    with _daemon(site) as address:
        assert files(fetch(Remotes(store, Limits()), f"{address}/project.git#v1"))["docs/text"] == b"one\n"


@pytest.mark.parametrize(
    ("suffix", "error", "message", "hint"),
    [
        (".git#nothing", ContextError, "has no branch, tag or other ref “nothing”", "name a branch"),
        (".git?branch=v1", ContextError, "has no branch “v1”", "name a branch"),
        (".git#v1:nowhere", ContextError, "has no directory nowhere", "check"),
        (f".git#{'0' * 40}", ContextError, f"has no commit {'0' * 40}", "try again"),
        ("-gone.git", TransportError, "can't be read", "check its address"),
    ],
)
def test_what_is_not_there(
    web: Web, store: Store, suffix: str, error: type[Exception], message: str, hint: str
) -> None:
    with pytest.raises(error, match=message) as caught:
        fetch(Remotes(store, Limits()), f"{web.address}/git/project{suffix}")
    assert hint in str(caught.value)
    assert not any(name.endswith((".spool", ".git")) for name in os.listdir(store.scratch))


def test_a_limit(address: str, store: Store) -> None:
    with pytest.raises(ContextError, match="has more than 10 bytes"):
        fetch(Remotes(store, Limits(max_bytes=10)), address)


def test_a_repository_around_us_leads_nowhere(
    address: str, store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "other"))
    assert "Dockerfile" in files(fetch(Remotes(store, Limits()), address))
    assert not (tmp_path / "other").exists()


@contextmanager
def _daemon(root: Path) -> Iterator[str]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    listening = ("--listen=127.0.0.1", f"--port={port}", "--reuseaddr")
    process = subprocess.Popen(["git", "daemon", "--export-all", f"--base-path={root}", *listening, str(root)])
    try:
        _wait_for(port)
        yield f"git://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait()


def _wait_for(port: int) -> None:
    deadline = time.monotonic() + 20
    while True:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
        except OSError:
            assert time.monotonic() < deadline, "git daemon does not listen"
            time.sleep(0.05)
        else:
            return
