"""A directory as a context: what is listed, what is ignored, and that files which change are noticed."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

import pytest

from dockerception.context.directory import DirectoryContext, read_control_file
from dockerception.errors import ContextError
from unit.context.trees import rules, shown, text


def _make(root: Path, files: dict[str, str]) -> None:
    for name, contents in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(contents)


def _open_files() -> int:
    return len(os.listdir("/proc/self/fd"))


def test_everything_is_listed_with_its_type(tmp_path: Path) -> None:
    _make(tmp_path, {"Dockerfile": "FROM scratch\n", "src/main.go": "package main\n", "src/a-b": "", "src/a/b": "x"})
    (tmp_path / "link").symlink_to("../outside")
    os.mkfifo(tmp_path / "fifo", 0o600)
    (tmp_path / "run").write_text("#!/bin/sh\n")
    (tmp_path / "run").chmod(0o4751)
    os.utime(tmp_path / "run", ns=(0, 1_600_000_000_999_999_999))
    context = DirectoryContext(str(tmp_path))
    assert [entry.path for entry in context.walk("")] == [
        "Dockerfile", "fifo", "link", "run", "src", "src/a", "src/a/b", "src/a-b", "src/main.go",
    ]  # fmt: skip
    assert shown(context, "src") == {
        "src": "/", "src/a": "/", "src/a/b": "x", "src/a-b": "", "src/main.go": "package main\n",
    }  # fmt: skip
    run, link, fifo = context.find("run"), context.find("link"), context.find("fifo")
    assert run is not None
    assert (run.mode, run.mtime, run.uid, run.gid, run.size) == (0o4751, 1_600_000_000, 0, 0, 10)
    assert link is not None
    assert (link.kind, link.link) == ("symlink", "../outside")
    assert fifo is not None
    assert (fifo.kind, fifo.mode) == ("fifo", 0o600)
    assert context.find("missing") is None
    root = context.find("")
    assert root is not None
    assert (root.kind, root.mode) == ("directory", 0o755)
    assert not context.keeps_owners
    assert context.origin == f"the context directory {tmp_path}"


def test_names_may_be_any_bytes(tmp_path: Path) -> None:
    name = b"caf\xe9\n"
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/" + name)).write_bytes(b"x")
    assert shown(DirectoryContext(str(tmp_path))) == {os.fsdecode(name): "x"}


def test_a_trailing_slash_and_a_linked_root_do_not_matter(tmp_path: Path) -> None:
    _make(tmp_path, {"real/a": "x"})
    (tmp_path / "root").symlink_to("real")
    assert shown(DirectoryContext(f"{tmp_path}/root/")) == {"a": "x"}


def test_hard_links_name_the_first_in_order(tmp_path: Path) -> None:
    _make(tmp_path, {"m": "shared"})
    (tmp_path / "z").mkdir()
    os.link(tmp_path / "m", tmp_path / "z" / "first")
    os.link(tmp_path / "m", tmp_path / "b")
    context = DirectoryContext(str(tmp_path))
    assert shown(context) == {"b": "shared", "m": "== b", "z": "/", "z/first": "== b"}
    entry = context.find("z/first")
    assert entry is not None
    assert (text(context, "z/first"), context.digest(entry)) == ("shared", sha256(b"shared").digest())


def test_a_name_of_the_file_outside_makes_no_link(tmp_path: Path) -> None:
    _make(tmp_path, {"in/a": "x"})
    os.link(tmp_path / "in" / "a", tmp_path / "outside")
    assert shown(DirectoryContext(str(tmp_path / "in"))) == {"a": "x"}


def test_sockets_are_empty_files_with_a_note(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("agent.sock")
        os.chmod("agent.sock", 0o640)
        context = DirectoryContext(".")
        assert shown(context) == {"agent.sock": ""}
        entry = context.find("agent.sock")
        assert entry is not None
        assert (entry.kind, entry.mode, entry.size) == ("file", 0o640, 0)
        assert context.digest(entry) == sha256(b"").digest()
        assert context.notes == ("The socket agent.sock is an empty file in the context.",)


def test_files_of_a_directory_that_is_excluded_again_are_empty(tmp_path: Path) -> None:
    _make(tmp_path, {"a.go": "1", "vendor/b.go": "2", "vendor/c.go": "3", "vendor/d": "4"})
    context = DirectoryContext(str(tmp_path), rules=rules("**", "!**/*.go", "vendor"))
    assert shown(context) == {"a.go": "1", "vendor": "/", "vendor/b.go": "", "vendor/c.go": ""}
    entry = context.find("vendor/b.go")
    assert entry is not None
    assert (entry.size, context.digest(entry)) == (0, sha256(b"").digest())
    (note,) = context.notes
    assert note.startswith("vendor/b.go and 1 more has no content here, as with BuildKit")


def test_ignored_paths_are_left_out_and_not_entered(tmp_path: Path) -> None:
    _make(
        tmp_path,
        {"a.log": "", "keep": "k", "node_modules/x/y": "", "docs/a.md": "", "docs/b.txt": "", "docs/c/d.md": ""},
    )
    ignore = rules("*.log", "node_modules", "docs", "!docs/*.md")
    context = DirectoryContext(str(tmp_path), rules=ignore)
    assert list(shown(context)) == ["docs", "docs/a.md", "keep"]
    assert context.find("a.log") is None
    assert [entry.path for entry in context.children("")] == ["docs", "keep"]


def test_an_ignored_directory_without_exceptions_in_it_does_not_show(tmp_path: Path) -> None:
    _make(tmp_path, {"docs/b.txt": "", "more/a.md": ""})
    (tmp_path / "more").chmod(0o700)
    context = DirectoryContext(str(tmp_path), rules=rules("*", "!docs/*.md", "!more/*.md"))
    assert [(entry.path, entry.mode) for entry in context.walk("")] == [("more", 0o700), ("more/a.md", 0o644)]


def test_a_directory_is_pruned_without_being_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _make(tmp_path, {"big/deep/x": "", "a": ""})
    listed = []
    scandir = os.scandir

    def watch(descriptor: int) -> Iterator[os.DirEntry[str]]:
        listed.append(os.path.relpath(os.readlink(f"/proc/self/fd/{descriptor}"), tmp_path))
        return scandir(descriptor)

    monkeypatch.setattr(os, "scandir", watch)
    assert list(shown(DirectoryContext(str(tmp_path), rules=rules("big", "!other/x")))) == ["a"]
    assert listed == ["."]


def test_control_files_are_found_even_if_ignored(tmp_path: Path) -> None:
    _make(tmp_path, {"Dockerfile": "FROM scratch\n", ".dockerignore": "*\n"})
    context = DirectoryContext(str(tmp_path), rules=rules("*"))
    assert context.find("Dockerfile") is None
    assert context.read_control_file("Dockerfile") == b"FROM scratch\n"
    assert read_control_file(str(tmp_path), ".dockerignore") == b"*\n"
    assert read_control_file(str(tmp_path), "other") is None
    with pytest.raises(ContextError, match="larger than 3 bytes"):
        read_control_file(str(tmp_path), "Dockerfile", max_bytes=3)
    with pytest.raises(ContextError, match="can't be read: Is a directory"):
        read_control_file(str(tmp_path), ".")


@pytest.mark.parametrize(("name", "message"), [("missing", "does not exist"), ("file", "is not a directory")])
def test_roots_that_are_no_directory(tmp_path: Path, name: str, message: str) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ContextError, match=f"The context directory .*{name} {message}"):
        DirectoryContext(str(tmp_path / name))


def test_nothing_is_read_before_it_is_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _make(tmp_path, {"a": "x"})
    real = os.open

    def only_directories(path: str, flags: int, **options: int) -> int:
        assert flags & os.O_DIRECTORY, f"opened {path}"
        return real(path, flags, **options)

    monkeypatch.setattr(os, "open", only_directories)
    assert [entry.path for entry in DirectoryContext(str(tmp_path)).walk("")] == ["a"]


def test_the_list_is_taken_once(tmp_path: Path) -> None:
    _make(tmp_path, {"a": "x"})
    context = DirectoryContext(str(tmp_path))
    assert context.find("b") is None
    _make(tmp_path, {"b": "late"})
    assert list(shown(context)) == ["a"]


@pytest.mark.parametrize("change", ["write", "append", "replace", "remove", "directory", "link", "chmod", "touch"])
def test_a_file_that_changes_after_it_was_listed(tmp_path: Path, change: str) -> None:
    path = tmp_path / "app"
    path.write_text("first")
    context = DirectoryContext(str(tmp_path))
    entry = context.find("app")
    assert entry is not None
    os.utime(path, ns=(1, 1))
    _change(path, change)
    before = _open_files()
    with pytest.raises(ContextError, match=r"The file app of .* changed while the build was using it"):
        context.digest(entry)
    with pytest.raises(ContextError, match=r"The file app of .* changed while the build was using it"):
        list(context.read(entry))
    assert _open_files() == before


def _change(path: Path, change: str) -> None:
    match change:
        case "write":
            path.write_text("other")
        case "append":
            path.write_text("first and more")
        case "chmod":
            path.chmod(0o600)
        case "touch":
            path.touch()
        case _:
            path.unlink()
    match change:
        case "replace":
            path.write_text("first")
        case "directory":
            path.mkdir()
        case "link":
            path.symlink_to("/etc/hostname")


def test_a_file_that_changes_between_digest_and_copy(tmp_path: Path) -> None:
    path = tmp_path / "app"
    path.write_text("first")
    context = DirectoryContext(str(tmp_path))
    entry = context.find("app")
    assert entry is not None
    assert context.digest(entry) == sha256(b"first").digest()
    path.write_text("other!")
    with pytest.raises(ContextError, match="changed while the build was using it"):
        list(context.read(entry))


def test_a_file_that_changes_while_it_is_read(tmp_path: Path) -> None:
    path = tmp_path / "large"
    path.write_bytes(bytes(3 << 20))
    os.utime(path, ns=(1, 1))
    context = DirectoryContext(str(tmp_path))
    entry = context.find("large")
    assert entry is not None
    chunks = context.read(entry)
    assert len(next(chunks)) == 1 << 20
    path.open("r+b").write(b"changed")
    with pytest.raises(ContextError, match=r"The file large of .* changed"):
        list(chunks)


def test_a_change_that_the_clock_does_not_show(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two writes within one tick leave the same times: the bytes are compared where that is possible."""
    path = tmp_path / "app"
    path.write_text("first")
    context = DirectoryContext(str(tmp_path))
    entry = context.find("app")
    assert entry is not None
    context.digest(entry)
    seen = os.stat(path)
    path.write_text("other")
    monkeypatch.setattr(os, "fstat", lambda descriptor: seen)
    with pytest.raises(ContextError, match=r"The file app of .* changed"):
        list(context.read(entry))


def test_unreadable_things_matter_only_where_they_are_needed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _make(tmp_path, {"ok/a": "x", "secret/b": "", "key": "k"})
    _deny(monkeypatch, str(tmp_path), "secret", "key")
    context = DirectoryContext(str(tmp_path))
    assert shown(context, "ok") == {"ok": "/", "ok/a": "x"}
    hint = r"(.|\n)*hint: make it readable, or name it in \.dockerignore"
    for ask in (lambda: context.walk(""), lambda: context.children("secret"), lambda: context.find("secret/b")):
        with pytest.raises(ContextError, match=r"The directory secret of .* can't be listed: Permission denied" + hint):
            ask()
    entry = context.find("key")
    assert entry is not None
    with pytest.raises(ContextError, match=r"The file key of .* can't be read: Permission denied" + hint):
        context.digest(entry)
    _deny(monkeypatch, str(tmp_path), "secret")
    assert list(shown(DirectoryContext(str(tmp_path), rules=rules("secret", "!secret/c")))) == ["key", "ok", "ok/a"]
    assert list(shown(DirectoryContext(str(tmp_path), rules=rules("secret")))) == ["key", "ok", "ok/a"]


def _deny(monkeypatch: pytest.MonkeyPatch, root: str, *names: str) -> None:
    """Make paths unreadable, for root too."""
    denied = {f"{root}/{name}" for name in names}
    monkeypatch.undo()
    for function in ("open", "scandir"):
        real = getattr(os, function)

        def guarded(path: str, *rest: int, real: object = real) -> object:
            if path in denied:
                raise PermissionError(13, "Permission denied", path)
            return real(path, *rest)  # type: ignore[operator]

        monkeypatch.setattr(os, function, guarded)


def test_a_directory_that_goes_away_while_listing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _make(tmp_path, {"a/x": "", "b": ""})
    real = os.open

    def vanishing(path: str, flags: int) -> int:
        if path.endswith("/a"):
            raise FileNotFoundError(2, "No such file or directory", path)
        return real(path, flags)

    monkeypatch.setattr(os, "open", vanishing)
    assert list(shown(DirectoryContext(str(tmp_path)))) == ["b"]


def test_a_directory_that_becomes_a_link_while_listing_is_gone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _make(tmp_path, {"context/a/sub/x": "", "context/b": "", "outside/sub/secret": ""})
    real = os.open

    def swapping(path: str, flags: int) -> int:
        if path.endswith("/a/sub"):
            (tmp_path / "context/a").rename(tmp_path / "aside")
            (tmp_path / "context/a").symlink_to(tmp_path / "outside")
        return real(path, flags)

    monkeypatch.setattr(os, "open", swapping)
    assert list(shown(DirectoryContext(str(tmp_path / "context")))) == ["a", "b"]


def test_file_capabilities_are_the_only_attribute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _make(tmp_path, {"ping": "", "plain": ""})
    values = {"security.capability": b"\1\0\0\2", "user.note": b"x", "security.selinux": b"y"}
    monkeypatch.setattr(os, "listxattr", lambda path, **_: list(values) if path.endswith("ping") else ["user.note"])
    monkeypatch.setattr(os, "getxattr", lambda path, name, **_: values[name])
    context = DirectoryContext(str(tmp_path))
    assert [entry.xattrs for entry in context.walk("")] == [(("security.capability", b"\1\0\0\2"),), ()]


def test_a_file_system_without_attributes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _make(tmp_path, {"a": "", "b": ""})
    asked = []

    def unsupported(path: str, **_: bool) -> list[str]:
        asked.append(path)
        raise OSError(95, "Operation not supported", path)

    monkeypatch.setattr(os, "listxattr", unsupported)
    assert list(shown(DirectoryContext(str(tmp_path)))) == ["a", "b"]
    assert len(asked) == 1
