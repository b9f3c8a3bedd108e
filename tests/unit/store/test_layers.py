"""Layers: which faces there are, and how one after another is added."""

from __future__ import annotations

import os

import pytest

from dockerception.errors import StoreError
from dockerception.oci.manifest import Descriptor
from dockerception.store.layers import Layer
from dockerception.store.store import Store
from unit.store.things import NOWHERE, add_blob_layer, add_tree_layer, finished_tree, prune, toc


def _original(store: Store, text: str = "compressed") -> Descriptor:
    data = text.encode()
    return Descriptor(media_type="application/gzip", digest=str(store.blobs.put(data)), size=len(data))


def _reopened(root: str, layer: str) -> Layer | None:
    with Store(root) as other:
        return other.layers.find(layer)


def test_a_layer_with_a_blob(store: Store, root: str) -> None:
    layer = add_blob_layer(store)
    assert layer.has_blob
    assert not layer.has_tree
    assert layer.size == 1
    assert _reopened(root, layer.layer) == layer
    assert store.layers.find_by_diff_id(layer.diff_id) == layer
    assert list(store.layers.toc(layer).paths()) == ["layer"]


def test_a_layer_with_a_tree_has_no_diff_id_yet(store: Store, root: str) -> None:
    finished = finished_tree(store, "text")
    layer = store.layers.add_tree(finished)
    assert (layer.has_tree, layer.diff_id, layer.toc) == (True, "", "")
    assert layer.size > 0
    assert not os.path.exists(finished)
    with open(os.path.join(store.layers.tree_path(layer.layer), "file"), encoding="utf-8") as file:
        assert file.read() == "text"
    assert _reopened(root, layer.layer) == layer


def test_a_layer_with_only_its_original(store: Store, root: str) -> None:
    original = _original(store)
    layer = store.layers.add_blob(diff_id=NOWHERE, toc=toc("a"), original=original, has_blob=False)
    assert layer.original == original
    assert not layer.has_blob
    assert _reopened(root, layer.layer) == layer


def test_faces_come_one_by_one(store: Store, root: str) -> None:
    layer = add_tree_layer(store)
    layer = store.layers.set_toc(layer, toc("a", size=5))
    assert layer.size == 5
    diff_id = str(store.blobs.put(b"tar"))
    layer = store.layers.set_blob(layer, diff_id, toc("a", size=5, offset=512))
    assert (layer.has_tree, layer.has_blob, layer.diff_id) == (True, True, diff_id)
    found = store.layers.toc(layer).find("a")
    assert found is not None
    assert found.offset == 512
    assert _reopened(root, layer.layer) == layer


def test_an_old_toc_is_let_go(store: Store, root: str) -> None:
    layer = store.layers.set_toc(add_tree_layer(store), toc("a"))
    old = layer.toc
    layer = store.layers.set_blob(layer, str(store.blobs.put(b"tar")), toc("a", offset=512))
    assert prune(root) == set()  # the store that made it may still read it
    store.close()
    with Store(root) as other:
        assert other.layers.find(layer.layer) == layer
        assert prune(root) == {f"blob:{old}"}
        assert list(other.layers.toc(layer).paths()) == ["a"]


def test_a_toc_with_offsets_is_not_replaced_by_one_without(store: Store) -> None:
    layer = add_blob_layer(store)
    assert store.layers.set_toc(layer, toc("other")) == layer


def test_a_change_builds_on_what_is_known_now(store: Store) -> None:
    layer = add_tree_layer(store)
    store.layers.set_blob(layer, str(store.blobs.put(b"tar")), toc("a", offset=0))
    changed = store.layers.set_tree(layer, finished_tree(store))  # with the value of before
    assert changed.has_blob
    assert changed.toc


def test_a_tree_that_is_there_stays(store: Store) -> None:
    layer = add_tree_layer(store, "first")
    store.layers.set_tree(layer, finished_tree(store, "second"))
    with open(os.path.join(store.layers.tree_path(layer.layer), "file"), encoding="utf-8") as file:
        assert file.read() == "first"


def test_the_same_blob_layer_is_added_once(store: Store) -> None:
    assert add_blob_layer(store).layer == add_blob_layer(store).layer


def test_what_a_layer_lacked_is_added_to_it(store: Store) -> None:
    diff_id = str(store.blobs.put(b"tar"))
    original = _original(store)
    first = store.layers.add_blob(diff_id=diff_id, toc=toc("a", offset=0), original=original, has_blob=False)
    second = store.layers.add_blob(diff_id=diff_id, toc=toc("a", offset=0))
    assert second.layer == first.layer
    assert second.has_blob
    assert second.original == original
    third = store.layers.add_blob(diff_id=diff_id, toc=toc("a", offset=0), original=_original(store, "otherwise"))
    assert third.original == original


def test_a_tree_gets_a_toc_with_offsets_together_with_its_blob(store: Store) -> None:
    diff_id = str(store.blobs.put(b"tar"))
    layer = store.layers.set_toc(store.layers.add_tree(finished_tree(store), diff_id=diff_id), toc("a"))
    both = store.layers.add_blob(diff_id=diff_id, toc=toc("a", offset=512))
    assert both.layer == layer.layer
    found = store.layers.toc(both).find("a")
    assert found is not None
    assert found.offset == 512


def test_faces_whose_files_are_gone_are_not_claimed(store: Store) -> None:
    layer = add_blob_layer(store)
    layer = store.layers.set_tree(layer, finished_tree(store))
    os.rename(store.layers.tree_path(layer.layer), store.temporary())
    without_tree = store.layers.get(layer.layer)
    assert (without_tree.has_tree, without_tree.has_blob) == (False, True)
    again = store.layers.set_tree(layer, finished_tree(store, "again"))
    assert again.has_tree
    os.unlink(store.blobs.path(layer.diff_id))
    without_blob = store.layers.get(layer.layer)
    assert (without_blob.has_tree, without_blob.has_blob) == (True, False)


@pytest.mark.parametrize("lost", ["blob", "toc"])
def test_a_layer_without_its_bytes_or_its_toc_is_a_miss_until_it_is_added_again(store: Store, lost: str) -> None:
    layer = add_blob_layer(store)
    os.unlink(store.blobs.path(layer.diff_id if lost == "blob" else layer.toc))
    assert store.layers.find(layer.layer) is None
    assert store.layers.find_by_diff_id(layer.diff_id) is None
    assert not store.layers.find_all([layer.layer])
    with pytest.raises(StoreError) as caught:
        store.layers.get(layer.layer)
    assert layer.layer in caught.value.message
    assert "build again" in caught.value.hint
    assert add_blob_layer(store) == layer  # the same one: images that consist of it are whole again
    assert store.layers.find(layer.layer) == layer


def test_a_layer_that_never_was(store: Store) -> None:
    assert store.layers.find("cafe") is None
    assert store.layers.find_by_diff_id(NOWHERE) is None
    assert store.layers.find_all([])
    with pytest.raises(StoreError, match="cafe is gone"):
        store.layers.set_toc(Layer(layer="cafe"), toc("a"))
    with pytest.raises(StoreError, match="cafe is gone"):
        store.layers.set_tree(Layer(layer="cafe"), finished_tree(store))
    with pytest.raises(StoreError, match="cafe is gone"):
        store.layers.set_blob(Layer(layer="cafe"), NOWHERE, toc("a"))


def test_a_tree_that_can_not_be_moved_makes_no_layer(store: Store) -> None:
    with pytest.raises(StoreError, match="keeping a layer's tree"):
        store.layers.add_tree(store.temporary())
    assert os.listdir(os.path.dirname(store.layers.tree_path("x"))) == []


def test_layers_found_are_held_with_their_blobs(root: str) -> None:
    with Store(root) as store:
        layer = add_blob_layer(store)
    with Store(root) as store:
        assert store.layers.find_by_diff_id(layer.diff_id) is not None
        assert prune(root) == set()
    assert prune(root) == {f"layer:{layer.layer}", f"blob:{layer.diff_id}", f"blob:{layer.toc}"}
