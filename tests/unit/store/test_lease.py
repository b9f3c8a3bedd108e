"""Leases, scratch directories, and cleaning up after others."""

from __future__ import annotations

import errno
import os
import shutil
import time
from pathlib import Path

import pytest

from dockerception.errors import StoreError
from dockerception.store.lease import Lease
from dockerception.store.removal import remove_tree
from dockerception.store.store import Store
from dockerception.store.sweep import sweep, sweep_thoroughly
from unit.store.things import leftovers, prune


def _abandon(root: str, store: Store) -> str:
    """What a killed process leaves: everything, with the lock free.  Returns the scratch directory."""
    scratch = store.scratch
    os.makedirs(os.path.join(scratch, "tree", "inner"))
    os.close(store._lease._descriptor)
    return scratch


def _refuse(path: str) -> None:
    raise StoreError(f"{path} has files of others") from PermissionError()


def test_a_store_that_nobody_uses_takes_no_lease(root: str) -> None:
    with Store(root):
        assert leftovers(root) == []
    assert leftovers(root) == []


def test_lookups_that_find_nothing_take_no_lease(store: Store, root: str) -> None:
    assert store.records.get("1" * 64) is None
    assert store.images.find("nothing") is None
    assert leftovers(root) == []


def test_temporary_paths_are_fresh_and_in_scratch(store: Store) -> None:
    paths = {store.temporary(".x") for _ in range(100)}
    assert len(paths) == 100
    assert all(os.path.dirname(path) == store.scratch and path.endswith(".x") for path in paths)
    assert not any(map(os.path.exists, paths))
    assert os.path.isdir(store.scratch)


def test_closing_removes_scratch_and_lease(root: str) -> None:
    with Store(root) as store:
        os.makedirs(os.path.join(store.scratch, "a", "b"))
        store.blobs.put(b"blob")
        assert len(leftovers(root)) == 2
    assert leftovers(root) == []


def test_closing_twice_is_closing_once(root: str) -> None:
    store = Store(root)
    store.blobs.put(b"blob")
    store.close()
    store.close()
    with pytest.raises(StoreError, match="has been closed"):
        store.temporary()
    with pytest.raises(StoreError, match="closed"):
        store.blobs.has("sha256:" + "0" * 64)


def test_scratch_that_can_not_be_removed_does_not_hide_an_error(root: str) -> None:
    store = Store(root)
    scratch = store.scratch
    store.close(_refuse)
    assert os.path.isdir(scratch)
    assert len(leftovers(root)) == 2
    Store(root).close()
    assert leftovers(root) == []


def test_a_lease_that_can_not_be_removed_does_not_hide_an_error(root: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(path: str) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO), path)

    store = Store(root)
    store.blobs.put(b"held")
    with monkeypatch.context() as patched:
        patched.setattr(os, "unlink", fail)
        store.close()
    assert len(os.listdir(os.path.join(root, "leases"))) == 1
    Store(root).close()
    assert leftovers(root) == []


def test_what_is_left_holds_nothing(root: str) -> None:
    store = Store(root)
    digest = str(store.blobs.put(b"blob"))
    store.close(_refuse)
    assert prune(root) == {f"blob:{digest}"}


def test_the_remove_that_is_given_is_used(root: str) -> None:
    removed = []

    def remove(path: str) -> None:
        removed.append(path)
        remove_tree(path)

    store = Store(root)
    scratch = store.scratch
    store.close(remove)
    assert removed == [scratch]
    assert leftovers(root) == []


def test_the_next_store_cleans_up_after_a_dead_one(root: str) -> None:
    dead = Store(root)
    digest = str(dead.blobs.put(b"blob"))
    scratch = _abandon(root, dead)
    with Store(root):
        assert not os.path.exists(scratch)
        assert leftovers(root) == []
    assert prune(root) == {f"blob:{digest}"}


def test_a_live_lease_is_left_alone(store: Store, root: str) -> None:
    scratch = store.scratch
    Store(root).close()
    sweep(root)
    assert sweep_thoroughly(root, remove_tree) == []
    assert os.path.isdir(scratch)
    assert len(leftovers(root)) == 2


def test_what_this_user_can_not_remove_is_tried_once_and_left_to_a_thorough_sweep(
    root: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried: list[str] = []

    def fail(path: str) -> None:
        tried.append(path)
        _refuse(path)

    dead = Store(root)
    digest = str(dead.blobs.put(b"blob"))
    scratch = _abandon(root, dead)
    monkeypatch.setattr("dockerception.store.sweep.remove_tree", fail)
    for _ in range(3):
        Store(root).close()
    assert tried == [scratch]
    assert [str(error) for error in sweep_thoroughly(root, _refuse)] == [f"{scratch} has files of others"]
    assert os.path.isdir(scratch)
    with Store(root) as store:
        assert f"blob:{digest}" in store.pruner.prune(everything=True, remove=remove_tree).things
    assert leftovers(root) == []


def test_what_can_not_be_removed_yet_is_tried_again(root: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(path: str) -> None:
        raise StoreError(f"{path} is busy") from OSError(errno.ENOTEMPTY, "Directory not empty")

    scratch = _abandon(root, Store(root))
    with monkeypatch.context() as context:
        context.setattr("dockerception.store.sweep.remove_tree", fail)
        Store(root).close()
    assert os.path.isdir(scratch)
    Store(root).close()
    assert leftovers(root) == []


def test_strays_go_when_they_are_old(root: str, monkeypatch: pytest.MonkeyPatch) -> None:
    Store(root).close()
    os.makedirs(os.path.join(root, "tmp", "probe-x", "inner"))
    sweep_thoroughly(root, remove_tree)
    assert os.listdir(os.path.join(root, "tmp")) == ["probe-x"]
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + 7200)
    sweep_thoroughly(root, remove_tree)
    assert os.listdir(os.path.join(root, "tmp")) == []


def test_a_lease_that_a_sweep_takes_for_dead_before_it_is_locked_is_taken_anew(
    root: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    Store(root).close()
    opened = os.open
    swept: list[str] = []

    def open_and_sweep(path: str, flags: int, mode: int = 0o777) -> int:
        descriptor = opened(path, flags, mode)
        if flags & os.O_EXCL and not swept:
            swept.append(path)
            sweep(root)
        return descriptor

    monkeypatch.setattr(os, "open", open_and_sweep)
    lease = Lease(root)
    lease.hold(["blob:x"])
    monkeypatch.undo()
    assert swept
    assert not os.path.exists(swept[0])
    with open(os.path.join(root, leftovers(root)[0]), encoding="ascii") as file:
        assert file.read() == "blob:x\n"
    lease.close()
    assert leftovers(root) == []


@pytest.mark.parametrize("mode", [0o000, 0o555])
def test_read_only_directories_are_removed(tmp_path: Path, mode: int) -> None:
    top = os.path.join(str(tmp_path), "top")
    inner = os.path.join(top, "inner")
    os.makedirs(inner)
    os.symlink("/", os.path.join(top, "link"))
    with open(os.path.join(inner, "file"), "wb"):
        pass
    os.chmod(inner, mode)
    remove_tree(top)
    assert not os.path.exists(top)
    remove_tree(top)


def test_a_removal_that_fails_says_what(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def busy(path: str) -> None:
        raise OSError(errno.EBUSY, "Device or resource busy", f"{path}/mount")

    monkeypatch.setattr(shutil, "rmtree", busy)
    (tmp_path / "full").mkdir()
    with pytest.raises(StoreError) as caught:
        remove_tree(str(tmp_path))
    assert caught.value.message == f"{tmp_path}/mount can't be removed: Device or resource busy."
    assert caught.value.hint


def test_a_tree_that_others_remove_too_is_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    top = os.path.join(str(tmp_path), "top")
    os.makedirs(os.path.join(top, "inner"))
    rmtree = shutil.rmtree
    missing = [FileNotFoundError(errno.ENOENT, "gone", "inner")]

    def disturbed(path: str) -> None:
        if missing:
            raise missing.pop()
        rmtree(path)

    monkeypatch.setattr(shutil, "rmtree", disturbed)
    remove_tree(top)
    assert not os.path.exists(top)
