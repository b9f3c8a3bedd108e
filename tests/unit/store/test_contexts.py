"""Spooled contexts."""

from __future__ import annotations

import os

import pytest

from dockerception.errors import StoreError
from dockerception.store.store import Store
from unit.store.things import NOWHERE, prune, toc


def _spool(store: Store, data: bytes = b"contents") -> str:
    path = store.contexts.new_spool()
    with open(path, "wb") as file:
        file.write(data)
    return path


def test_a_context(store: Store, root: str) -> None:
    listed = toc("Dockerfile", "app", offset=3)
    digest = store.contexts.keep(listed, _spool(store))
    with open(store.contexts.spool_path(digest), "rb") as file:
        assert file.read() == b"contents"
    assert os.listdir(store.scratch) == []
    with Store(root) as other:
        found = other.contexts.find(digest)
        assert found is not None
        assert found.encode() == listed.encode()


def test_of_equal_contexts_the_first_is_kept(store: Store) -> None:
    digest = store.contexts.keep(toc("a"), _spool(store))
    before = os.stat(store.contexts.spool_path(digest)).st_ino
    assert store.contexts.keep(toc("a"), _spool(store)) == digest
    assert os.stat(store.contexts.spool_path(digest)).st_ino == before
    assert os.listdir(store.scratch) == []


def test_a_context_that_never_was(store: Store) -> None:
    assert store.contexts.find(NOWHERE) is None


@pytest.mark.parametrize("lost", ["spool", "toc", "damaged toc"])
def test_an_incomplete_context_is_a_miss_until_it_is_kept_again(store: Store, lost: str) -> None:
    digest = store.contexts.keep(toc("a"), _spool(store))
    if lost == "spool":
        os.unlink(store.contexts.spool_path(digest))
    elif lost == "toc":
        os.unlink(store.blobs.path(digest))
    else:
        with open(store.blobs.path(digest), "r+b") as file:
            file.write(b"????")
    assert store.contexts.find(digest) is None
    store.contexts.keep(toc("a"), _spool(store))
    assert store.contexts.find(digest) is not None


def test_a_context_is_held_with_its_toc(root: str) -> None:
    with Store(root) as store:
        digest = store.contexts.keep(toc("a"), _spool(store))
        assert prune(root) == set()
    with Store(root) as store:
        assert store.contexts.find(digest) is not None
        assert prune(root) == set()
        assert store.contexts.find(digest) is not None
    assert prune(root) == {f"context:{digest}", f"blob:{digest}"}
    assert not os.path.exists(store.contexts.spool_path(digest))


def test_a_spool_that_is_missing(store: Store) -> None:
    with pytest.raises(StoreError, match="keeping a context"):
        store.contexts.keep(toc("a"), store.contexts.new_spool())
    assert store.contexts.find(str(store.blobs.put(toc("a").encode()))) is None
