"""Blobs: content-addressed, verified, made once."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator

import pytest

from dockerception.errors import StoreError, UsageError
from dockerception.store.store import Store
from unit.store.things import NOWHERE, prune

HELLO = b"hello"
HELLO_DIGEST = "sha256:" + hashlib.sha256(HELLO).hexdigest()


def test_a_blob_lies_where_an_oci_layout_has_it(store: Store, root: str) -> None:
    assert str(store.blobs.put(HELLO)) == HELLO_DIGEST
    path = os.path.join(root, "blobs", "sha256", HELLO_DIGEST.removeprefix("sha256:"))
    assert store.blobs.path(HELLO_DIGEST) == path
    with open(path, "rb") as file:
        assert file.read() == HELLO
    assert store.blobs.read(HELLO_DIGEST) == HELLO
    assert store.blobs.has(HELLO_DIGEST)


def test_putting_it_again_changes_nothing(store: Store) -> None:
    store.blobs.put(HELLO)
    before = os.stat(store.blobs.path(HELLO_DIGEST))
    store.blobs.put(HELLO)
    store.blobs.put(iter([b"he", b"llo"]))
    assert os.stat(store.blobs.path(HELLO_DIGEST)) == before
    assert os.listdir(store.scratch) == []


def test_chunks_of_any_number_make_one_blob(store: Store) -> None:
    chunks = [bytes([number]) * 100_000 for number in range(100)]
    digest = store.blobs.put(iter(chunks))
    assert digest.hex == hashlib.sha256(b"".join(chunks)).hexdigest()
    assert store.blobs.read(str(digest)) == b"".join(chunks)


def test_chunks_that_break_off_leave_nothing(store: Store, root: str) -> None:
    def chunks() -> Iterator[bytes]:
        yield b"begun"
        raise ValueError("broken off")

    with pytest.raises(ValueError, match="broken off"):
        store.blobs.put(chunks())
    assert os.listdir(store.scratch) == []
    assert os.listdir(os.path.join(root, "blobs", "sha256")) == []


def test_what_was_never_put(store: Store) -> None:
    assert not store.blobs.has(NOWHERE)
    with pytest.raises(StoreError) as caught:
        store.blobs.read(NOWHERE)
    assert NOWHERE in caught.value.message
    assert caught.value.hint


@pytest.mark.parametrize("text", ["", "sha256:abc", "sha256:../../etc/passwd", "md5:" + "0" * 64])
def test_only_digests_lead_to_paths(store: Store, text: str) -> None:
    with pytest.raises(UsageError):
        store.blobs.path(text)


def test_a_file_without_a_row_does_not_exist(store: Store) -> None:
    with open(store.blobs.path(HELLO_DIGEST), "wb") as file:
        file.write(HELLO)
    assert not store.blobs.has(HELLO_DIGEST)
    store.blobs.put(HELLO)
    assert store.blobs.has(HELLO_DIGEST)


def test_a_row_without_a_file_does_not_count(store: Store) -> None:
    store.blobs.put(HELLO)
    os.unlink(store.blobs.path(HELLO_DIGEST))
    assert not store.blobs.has(HELLO_DIGEST)
    store.blobs.put(HELLO)
    assert store.blobs.read(HELLO_DIGEST) == HELLO


def test_a_damaged_blob_is_told_and_then_made_again(store: Store) -> None:
    store.blobs.put(HELLO)
    with open(store.blobs.path(HELLO_DIGEST), "wb") as file:
        file.write(b"jello")
    with pytest.raises(StoreError, match="damaged"):
        store.blobs.read(HELLO_DIGEST)
    assert not store.blobs.has(HELLO_DIGEST)
    store.blobs.put(HELLO)
    assert store.blobs.read(HELLO_DIGEST) == HELLO


@pytest.mark.parametrize("data", [HELLO, [b"hel", b"lo"]])
def test_a_truncated_blob_is_replaced(store: Store, data: bytes | list[bytes]) -> None:
    store.blobs.put(HELLO)
    os.truncate(store.blobs.path(HELLO_DIGEST), 2)
    store.blobs.put(data)
    assert store.blobs.read(HELLO_DIGEST) == HELLO


def test_a_blob_that_was_put_or_looked_up_is_held_until_the_store_is_closed(root: str) -> None:
    with Store(root) as store:
        store.blobs.put(HELLO)
        assert prune(root) == set()
        assert store.blobs.read(HELLO_DIGEST) == HELLO
    with Store(root) as store:
        assert store.blobs.has(HELLO_DIGEST)
        assert prune(root) == set()
    assert prune(root) == {f"blob:{HELLO_DIGEST}"}
    with Store(root) as store:
        assert not store.blobs.has(HELLO_DIGEST)
        assert not os.path.exists(store.blobs.path(HELLO_DIGEST))
