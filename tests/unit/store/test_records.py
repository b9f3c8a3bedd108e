"""Cache records and listings."""

from __future__ import annotations

import os
from pathlib import Path

from dockerception.store.records import Record
from dockerception.store.store import Store
from unit.store.things import add_tree_layer, config, prune

KEY = "1" * 64


def test_a_record(store: Store, root: str) -> None:
    assert store.records.get(KEY) is None
    layer = add_tree_layer(store)
    store.records.put([Record(KEY, b"value", (f"layer:{layer.layer}",)), Record("2" * 64, b"")])
    with Store(root) as other:
        assert other.records.get(KEY) == b"value"
        assert other.records.get("2" * 64) == b""


def test_a_later_record_replaces_an_earlier_one(store: Store, root: str) -> None:
    old, new = add_tree_layer(store), add_tree_layer(store)
    store.records.put([Record(KEY, b"old", (f"layer:{old.layer}",))])
    store.records.put([Record(KEY, b"new", (f"layer:{new.layer}",))])
    store.close()
    with Store(root) as other:
        assert other.records.get(KEY) == b"new"
        assert prune(root) == {f"layer:{old.layer}"}


def test_the_same_record_again_changes_nothing(store: Store, root: str) -> None:
    record = Record(KEY, b"value", (f"layer:{add_tree_layer(store).layer}",))
    store.records.put([record])
    before = _changes(root)
    store.records.put([record])
    assert _changes(root) == before


def _changes(root: str) -> bytes:
    with open(os.path.join(root, "store.db-wal"), "rb") as file:
        return file.read()


def test_a_hit_writes_nothing(root: str) -> None:
    with Store(root) as store:
        store.records.put([Record(KEY, b"value", (f"layer:{add_tree_layer(store).layer}",))])
    before = Path(root, "store.db").stat()
    with Store(root) as store:
        assert store.records.get(KEY) == b"value"
        assert not os.path.exists(os.path.join(root, "store.db-wal")) or _changes(root) == b""
    after = Path(root, "store.db").stat()
    assert (after.st_mtime_ns, after.st_ino) == (before.st_mtime_ns, before.st_ino)


def test_a_hit_holds_all_that_the_record_keeps(root: str) -> None:
    with Store(root) as store:
        layer = add_tree_layer(store)
        store.records.put([Record(KEY, b"value", (f"layer:{layer.layer}",))])
    with Store(root) as store:
        assert store.records.get(KEY) == b"value"
        with Store(root) as other:  # another build replaces the record, and the layer loses its only way
            other.records.put([Record(KEY, b"other")])
        assert f"layer:{layer.layer}" not in prune(root)
        assert store.layers.find(layer.layer) == layer


def test_a_record_of_what_is_gone_is_left_out(store: Store) -> None:
    store.records.put([Record(KEY, b"value", ("layer:cafe",)), Record("2" * 64, b"fine")])
    assert store.records.get(KEY) is None
    assert store.records.get("2" * 64) == b"fine"


def test_a_record_ends_with_the_image_that_it_led_to(store: Store) -> None:
    image = store.images.add(config(), [])
    store.records.put([Record(KEY, image.image.encode(), (f"image:{image.image}",))])
    store.images.remove(image.image)
    assert store.records.get(KEY) is None


def test_listings(store: Store, root: str) -> None:
    assert store.listings.load("/some/dir") == b""
    store.listings.save("/some/dir", b"one")
    store.listings.save("/some/dir", b"two")
    store.listings.save("/caf\udce9", b"not UTF-8")
    with Store(root) as other:
        assert other.listings.load("/some/dir") == b"two"
        assert other.listings.load("/caf\udce9") == b"not UTF-8"


def test_listings_go_with_their_directories(store: Store, root: str, tmp_path: Path) -> None:
    here, gone = str(tmp_path), str(tmp_path / "gone")
    store.listings.save(here, b"here")
    store.listings.save(gone, b"gone")
    prune(root, everything=False)
    assert (store.listings.load(here), store.listings.load(gone)) == (b"here", b"")
    prune(root, everything=True)
    assert store.listings.load(here) == b""
