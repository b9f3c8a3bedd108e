"""Digests from build to build: unchanged files are not read, changed ones are never mistaken for them."""

from __future__ import annotations

import os
import time
from hashlib import sha256
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dockerception.context.digest_cache import SETTLING_NS, KnownDigests, is_settled, signature
from dockerception.context.directory import DirectoryContext
from dockerception.errors import ContextError
from unit.context.trees import rules


class Cache:
    """A cache in memory."""

    def __init__(self) -> None:
        self.data: dict[str, bytes] = {}

    def load(self, root: str) -> bytes:
        return self.data.get(root, b"")

    def save(self, root: str, data: bytes) -> None:
        self.data[root] = data


@pytest.fixture
def settled(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let all files look as if they had been quiet for a while."""
    now = time.time_ns
    monkeypatch.setattr(time, "time_ns", lambda: now() + 10 * SETTLING_NS)


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the files that are opened; directories are opened to be listed."""
    names: list[str] = []
    real = os.open

    def watch(path: str, flags: int) -> int:
        if not flags & os.O_DIRECTORY:
            names.append(os.path.basename(path))
        return real(path, flags)

    monkeypatch.setattr(os, "open", watch)
    return names


def _digests(root: Path, cache: Cache, *ignored: str) -> dict[str, bytes]:
    context = DirectoryContext(str(root), cache=cache, rules=rules(*ignored))
    context.digest_below("")
    return {entry.path: context.digest(entry) for entry in context.walk("") if entry.kind != "directory"}


def _digest(text: str) -> bytes:
    return sha256(text.encode()).digest()


@pytest.mark.usefixtures("settled")
def test_unchanged_files_are_not_read_again(tmp_path: Path, reads: list[str]) -> None:
    cache = Cache()
    for name in "abc":
        (tmp_path / name).write_text(name * 5)
    assert _digests(tmp_path, cache) == {name: _digest(name * 5) for name in "abc"}
    assert sorted(reads) == ["a", "b", "c"]
    reads.clear()
    assert _digests(tmp_path, cache) == {name: _digest(name * 5) for name in "abc"}
    assert reads == []
    (tmp_path / "b").write_text("BBBBB")
    assert _digests(tmp_path, cache)["b"] == _digest("BBBBB")
    assert reads == ["b"]


@pytest.mark.usefixtures("settled")
def test_a_change_of_the_same_length_with_the_old_time(tmp_path: Path) -> None:
    cache = Cache()
    path = tmp_path / "a"
    path.write_text("first")
    os.utime(path, ns=(10**18, 10**18))
    assert _digests(tmp_path, cache) == {"a": _digest("first")}
    path.write_text("other")
    os.utime(path, ns=(10**18, 10**18))
    assert _digests(tmp_path, cache) == {"a": _digest("other")}


@pytest.mark.usefixtures("settled")
def test_files_that_swap_their_names(tmp_path: Path) -> None:
    cache = Cache()
    for name in "ab":
        (tmp_path / name).write_text(name)
        os.utime(tmp_path / name, ns=(10**18, 10**18))
    _digests(tmp_path, cache)
    (tmp_path / "a").rename(tmp_path / "c")
    (tmp_path / "b").rename(tmp_path / "a")
    (tmp_path / "c").rename(tmp_path / "b")
    assert _digests(tmp_path, cache) == {"a": _digest("b"), "b": _digest("a")}


def test_a_file_that_just_changed_is_not_remembered(tmp_path: Path, reads: list[str]) -> None:
    cache = Cache()
    (tmp_path / "a").write_text("x")
    assert _digests(tmp_path, cache) == _digests(tmp_path, cache) == {"a": _digest("x")}
    assert reads == ["a", "a"]


@pytest.mark.usefixtures("settled")
def test_what_another_build_ignores_is_not_forgotten(tmp_path: Path, reads: list[str]) -> None:
    cache = Cache()
    for name in "ab":
        (tmp_path / name).write_text(name)
    _digests(tmp_path, cache)
    (tmp_path / "a").write_text("new")
    _digests(tmp_path, cache, "b")
    reads.clear()
    _digests(tmp_path, cache)
    assert reads == []


def test_rows_that_no_build_sees_age_and_go() -> None:
    known = KnownDigests()
    known.add(b"1" * 40, b"a" * 32)
    data = known.encode([b"1" * 40])
    sizes = []
    for _ in range(30):
        known = KnownDigests(data)
        data = known.encode([])
        sizes.append(len(data))
    assert sizes[0] > sizes[-1]
    assert KnownDigests(data).find(b"1" * 40) is None


@given(st.binary(max_size=200), st.binary(max_size=4), st.integers(0, 200))
def test_damaged_data_is_ignored(junk: bytes, tail: bytes, cut: int) -> None:
    assert KnownDigests(junk).find(b"1" * 40) is None
    known = KnownDigests()
    known.add(b"1" * 40, b"a" * 32)
    data = known.encode([])
    found = KnownDigests(data[:cut] + tail).find(b"1" * 40)
    assert found is None or data[:cut] + tail == data


def test_a_signature_tells_files_apart(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("x")
    (tmp_path / "b").write_text("x")
    a, b = os.stat(tmp_path / "a"), os.stat(tmp_path / "b")
    assert signature(a) != signature(b)
    assert signature(a) == signature(os.stat(tmp_path / "a"))
    assert not is_settled(signature(a), a.st_ctime_ns + SETTLING_NS)
    assert is_settled(signature(a), a.st_ctime_ns + SETTLING_NS + 1)


def test_many_files_are_hashed_and_the_first_error_is_raised(tmp_path: Path) -> None:
    for number in range(200):
        (tmp_path / f"{number:03}").write_text(str(number))
    assert _digests(tmp_path, Cache()) == {f"{number:03}": _digest(str(number)) for number in range(200)}
    context = DirectoryContext(str(tmp_path))
    assert context.find("150") is not None
    (tmp_path / "150").write_text("changed")
    with pytest.raises(ContextError, match=r"The file 150 of .* changed"):
        context.digest_below("")


def test_only_what_is_asked_for_is_hashed(tmp_path: Path, reads: list[str]) -> None:
    for name in ("a", "a-b", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / f"in-{name}").write_text(name)
    context = DirectoryContext(str(tmp_path))
    context.digest_below("a")
    context.digest_below("b/in-b")
    assert sorted(reads) == ["in-a", "in-b"]
