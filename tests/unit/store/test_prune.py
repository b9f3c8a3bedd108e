"""What goes and what stays."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence

import pytest

from dockerception.errors import StoreError
from dockerception.reference import Reference
from dockerception.store.database import Database
from dockerception.store.ledger import Ledger, Row
from dockerception.store.records import Record
from dockerception.store.removal import remove_tree
from dockerception.store.store import Store
from dockerception.store.usage import disk_usage
from unit.store.things import add_blob_layer, add_tree_layer, config, inconsistencies, leftovers, prune, toc

APP = Reference.parse("app")
KEY = "1" * 64
DAY = 86400.0


def _kinds(things: set[str]) -> dict[str, int]:
    kinds = [thing.partition(":")[0] for thing in things]
    return {kind: kinds.count(kind) for kind in sorted(set(kinds))}


def _age(root: str, seconds: float, pattern: str = "*") -> None:
    """Make things look as if they had been used that long ago."""
    database = Database(os.path.join(root, "store.db"))
    with database.writing() as connection:
        connection.execute("UPDATE things SET used = ? WHERE id GLOB ?", (time.time() - seconds, pattern))
    database.close()


def test_what_a_name_reaches_stays(root: str) -> None:
    with Store(root) as store:
        layers = [add_blob_layer(store).layer, add_tree_layer(store).layer]
        image = store.images.add(config(), layers, [APP])
    assert prune(root) == set()
    with Store(root) as store:
        assert store.images.find("app") == image
        assert os.path.exists(os.path.join(store.layers.tree_path(layers[1]), "file"))
    assert inconsistencies(root) == []


def test_what_nothing_reaches_goes_with_its_files(root: str) -> None:
    with Store(root) as store:
        layers = [add_blob_layer(store).layer, add_tree_layer(store).layer]
        store.images.add(config(), layers)
    assert _kinds(prune(root, everything=False)) == {"blob": 3, "image": 1, "layer": 2}
    for folder in ("blobs/sha256", "trees", "tmp", "leases"):
        assert os.listdir(os.path.join(root, folder)) == []
    assert inconsistencies(root) == []


def test_what_a_live_process_found_stays(root: str) -> None:
    with Store(root) as store:
        store.images.add(config(), [add_blob_layer(store).layer, add_tree_layer(store).layer], [APP])
    with Store(root) as store:
        image = store.images.get("app")
        with Store(root) as other:
            other.images.remove(image.image)
        assert _kinds(prune(root)) == {}
        for layer in map(store.layers.get, image.layers):
            assert layer.has_tree or store.blobs.has(layer.diff_id)
        assert store.blobs.read(image.image) == image.config_bytes
    assert _kinds(prune(root)) == {"blob": 3, "layer": 2}


def test_a_store_spares_what_it_holds_itself(store: Store) -> None:
    layer = add_tree_layer(store)
    assert store.pruner.prune(everything=True, remove=remove_tree).things == ()
    assert store.layers.find(layer.layer) == layer


def test_records_that_led_to_what_stays_stay(root: str) -> None:
    with Store(root) as store:
        named, other = add_tree_layer(store), add_tree_layer(store)
        store.images.add(config(), [named.layer], [APP])
        store.records.put([Record("1" * 64, b"named", (f"layer:{named.layer}",))])
        store.records.put([Record("2" * 64, b"both", (f"layer:{named.layer}", f"layer:{other.layer}"))])
        store.records.put([Record("3" * 64, b"nothing")])
    gone = {f"record:{'2' * 64}", f"record:{'3' * 64}", f"layer:{other.layer}"}
    assert prune(root, everything=False) == gone
    with Store(root) as store:
        assert store.records.get("1" * 64) == b"named"
        assert store.records.get("2" * 64) is None
    assert prune(root, everything=True) == {f"record:{'1' * 64}"}
    assert inconsistencies(root) == []


def test_what_was_used_lately_is_spared_with_all_that_it_needs(root: str) -> None:
    with Store(root) as store:
        layer = add_blob_layer(store)
        old = add_tree_layer(store)
        image = store.images.add(config(), [layer.layer])
    _age(root, 3 * DAY)
    _age(root, 1 * DAY, f"image:{image.image}")
    assert prune(root, older_than=2 * DAY) == {f"layer:{old.layer}"}
    with Store(root) as store:
        assert store.images.find_id(image.image) == image
    assert inconsistencies(root) == []


def test_a_lookup_is_a_use(root: str) -> None:
    with Store(root) as store:
        layer = add_tree_layer(store)
        store.records.put([Record(KEY, b"value", (f"layer:{layer.layer}",))])
    _age(root, 3 * DAY)
    with Store(root) as store:
        assert store.records.get(KEY) == b"value"
    assert prune(root, older_than=2 * DAY) == set()
    assert _kinds(prune(root)) == {"layer": 1, "record": 1}


def test_a_clock_that_was_set_back_spares_nothing(root: str) -> None:
    with Store(root) as store:
        add_tree_layer(store)
    _age(root, -DAY)
    assert _kinds(prune(root)) == {"layer": 1}


def test_cache_mounts_go_only_with_everything(root: str) -> None:
    with Store(root) as store, store.mounts.use("/cache", "locked") as folder:
        os.mkdir(folder)
    assert prune(root, everything=False) == set()
    assert os.path.isdir(folder)
    assert _kinds(prune(root)) == {"mount": 1}
    assert os.listdir(os.path.dirname(folder)) == []


def test_a_cache_mount_in_use_stays(root: str) -> None:
    with Store(root) as store, store.mounts.use("/cache", "shared") as folder:
        os.mkdir(folder)
        assert prune(root) == set()
        assert os.path.isdir(folder)


@pytest.mark.parametrize("folder", ["trees", "blobs/sha256", "contexts", "caches"])
def test_files_without_a_row_go(root: str, folder: str) -> None:
    with Store(root) as store:
        store.images.add(config(), [add_tree_layer(store).layer], [APP])
    os.makedirs(os.path.join(root, folder, "cafe" * 16, "inner"))
    with open(os.path.join(root, folder, "beef" * 16), "wb"):
        pass
    with Store(root) as store:
        assert store.pruner.prune(remove=remove_tree).bytes_freed >= 4096
        assert store.images.find("app") is not None
    assert inconsistencies(root) == []
    assert not os.path.lexists(os.path.join(root, folder, "cafe" * 16))
    assert not os.path.lexists(os.path.join(root, folder, "beef" * 16))


def test_the_room_that_comes_back_is_what_the_disk_says(root: str) -> None:
    with Store(root) as store:
        store.blobs.put(os.urandom(300_000))
        store.layers.add_tree(_tree_of(store, 200_000))
    with Store(root) as store:
        before = disk_usage(os.path.join(root, "blobs")) + disk_usage(os.path.join(root, "trees"))
        freed = store.pruner.prune(remove=remove_tree).bytes_freed
        after = disk_usage(os.path.join(root, "blobs")) + disk_usage(os.path.join(root, "trees"))
    assert freed == before - after
    assert freed > 500_000


def _tree_of(store: Store, size: int) -> str:
    path = store.temporary()
    os.mkdir(path)
    for name in ("a", "b"):
        with open(os.path.join(path, name), "wb") as file:
            file.write(os.urandom(size // 2))
    return path


def test_the_database_shrinks(root: str) -> None:
    with Store(root) as store:
        store.records.put([Record(f"{number:064x}", bytes(10_000)) for number in range(100)])
    before = os.stat(os.path.join(root, "store.db")).st_size
    prune(root)
    assert os.stat(os.path.join(root, "store.db")).st_size < before / 5


def test_a_removal_that_fails_is_told_when_the_rest_is_done(root: str) -> None:
    with Store(root) as store:
        trees = [add_tree_layer(store).layer for _ in range(3)]
        digest = str(store.blobs.put(b"blob"))
    removed: list[str] = []

    def remove(path: str) -> None:
        removed.append(path)
        if len(removed) == 1:
            raise StoreError("this one can't be removed")
        remove_tree(path)

    with Store(root) as store:
        with pytest.raises(StoreError, match="this one can't be removed"):
            store.pruner.prune(everything=True, remove=remove)
        assert len(removed) == len(trees)
        assert not os.path.exists(store.blobs.path(digest))
        assert os.listdir(os.path.join(root, "trees")) == []
        assert os.path.exists(removed[0])
    assert leftovers(root) == []  # this user could remove it after all


def test_what_comes_back_while_it_is_pruned_is_whole(root: str) -> None:
    """The rows are gone, the files are not yet moved, and another process adds the same things again."""
    with Store(root) as store:
        add_blob_layer(store)
        context = store.contexts.keep(toc("a"), _spool(store))
    with Store(root) as pruning, Store(root) as other:
        added = []
        move = pruning.pruner._move_rubbish

        def add_then_move() -> object:
            added.append(add_blob_layer(other))
            other.contexts.keep(toc("a"), _spool(other))
            return move()

        pruning.pruner._move_rubbish = add_then_move  # type: ignore[method-assign, assignment]
        pruned = pruning.pruner.prune(everything=True, remove=remove_tree)
        assert f"context:{context}" in pruned.things
        assert other.layers.find(added[0].layer) == added[0]
        assert other.blobs.read(added[0].diff_id) == b"layer"
        assert other.contexts.find(context) is not None
        assert other.layers.toc(added[0])
    assert inconsistencies(root) == []


def test_a_lookup_that_a_prune_overtakes_finds_nothing(root: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with Store(root) as store:
        layer = add_blob_layer(store)
        store.records.put([Record(KEY, b"value", (f"layer:{layer.layer}",))])
    rows = Ledger.rows

    def rows_then_prune(ledger: Ledger, statement: str, parameters: Sequence[object] = ()) -> list[Row]:
        found = rows(ledger, statement, parameters)
        monkeypatch.undo()
        prune(root)
        return found

    with Store(root) as store:
        monkeypatch.setattr(Ledger, "rows", rows_then_prune)
        assert store.records.get(KEY) is None
        assert store.layers.find(layer.layer) is None


def _spool(store: Store) -> str:
    path = store.contexts.new_spool()
    with open(path, "wb") as file:
        file.write(b"spooled")
    return path
