"""The size cap: what goes first, what never goes, and how much."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from dockerception.errors import UsageError
from dockerception.library import space
from dockerception.reference import Reference
from dockerception.sizes import UNLIMITED
from dockerception.store.database import Database
from dockerception.store.records import Record
from dockerception.store.removal import remove_tree
from dockerception.store.store import Store
from dockerception.store.usage import disk_usage
from unit.store.things import add_tree_layer, config, finished_tree, inconsistencies, toc

APP = Reference.parse("app")
DAY = 86400.0
BIG = "x" * 100_000


def _age(root: str, days: float, *things: str) -> None:
    database = Database(os.path.join(root, "store.db"))
    with database.writing() as connection:
        connection.executemany(
            "UPDATE things SET used = ? WHERE id = ?", [(time.time() - days * DAY, thing) for thing in things]
        )
    database.close()


def _make_room(root: str, limit: int, *, older_than: float = 0.0) -> set[str]:
    """Make room with a store of its own; the ids that went."""
    with Store(root) as store:
        return set(store.pruner.make_room(limit, older_than=older_than, remove=remove_tree).things)


def _steps(root: str, number: int) -> list[tuple[str, str]]:
    """That many cached steps: records and the layers they led to, of 100 kB each; the first was used longest ago."""
    steps = []
    with Store(root) as store:
        for index in range(number):
            layer = f"layer:{add_tree_layer(store, BIG).layer}"
            key = f"{index:064}"
            store.records.put([Record(key, b"value", (layer,))])
            steps.append((f"record:{key}", layer))
    for index, step in enumerate(steps):
        _age(root, number - index, *step)
    return steps


def test_the_least_recently_used_goes_until_the_rest_fits(root: str) -> None:
    steps = _steps(root, 4)
    trees = Path(root, "trees")
    one = disk_usage(str(next(trees.iterdir())))
    assert _make_room(root, 5 * one) == set()
    assert _make_room(root, 3 * one) == {*steps[0], *steps[1]}, "three layers and their records are more than the limit"
    assert {f"layer:{path.name}" for path in trees.iterdir()} == {steps[2][1], steps[3][1]}
    assert inconsistencies(root) == []
    with Store(root) as store:
        assert store.records.get("0" * 63 + "3") == b"value"
    assert _make_room(root, 0) == {*steps[2], *steps[3]}


def test_what_keeps_a_thing_uses_it(root: str) -> None:
    """A base that every build uses is not old for having come long ago."""
    with Store(root) as store:
        base = f"layer:{add_tree_layer(store, BIG).layer}"
        other = f"layer:{add_tree_layer(store, BIG).layer}"
        store.records.put([Record("1" * 64, b"", (base,))])
    _age(root, 9, base)
    _age(root, 5, other)
    assert _make_room(root, 150_000) == {other}


def test_names_and_running_builds_keep_what_they_have(root: str) -> None:
    with Store(root) as store:
        image = store.images.add(config(), [add_tree_layer(store, BIG).layer], [APP])
        store.records.put([Record("1" * 64, b"", (f"image:{image.image}",))])
    with Store(root) as running:
        held = add_tree_layer(running, BIG)
        _age(root, 9, f"layer:{held.layer}")
        assert _make_room(root, 0) == set()
        assert running.layers.find(held.layer) == held
    assert _make_room(root, 0) == {f"layer:{held.layer}"}
    with Store(root) as store:
        assert store.images.find("app") == image
        assert store.records.get("1" * 64) == b"", "a record of what stays gives no room"


def test_an_image_without_a_name_goes_whole(root: str) -> None:
    with Store(root) as store:
        layers = [add_tree_layer(store, BIG).layer, add_tree_layer(store, "small").layer]
        image = store.images.add(config(), layers)
    _age(root, 9, f"layer:{layers[1]}")
    assert f"image:{image.image}" in _make_room(root, 50_000)
    assert inconsistencies(root) == []
    with Store(root) as store:
        assert store.images.all() == []


def test_what_was_used_lately_can_be_spared(root: str) -> None:
    steps = _steps(root, 3)
    assert _make_room(root, 0, older_than=1.5 * DAY) == {*steps[0], *steps[1]}


def test_cache_mounts_contexts_and_blobs_count_as_they_are(root: str) -> None:
    with Store(root) as store:
        with store.mounts.use("/cache", "locked") as folder:
            os.mkdir(folder)
        Path(folder, "late").write_bytes(os.urandom(100_000))
        spool = store.contexts.new_spool()
        Path(spool).write_bytes(os.urandom(50_000))
        store.contexts.keep(toc("a"), spool)
        store.blobs.put(os.urandom(70_000))
        add_tree_layer(store, BIG)
        found = space.usage(store)
        holdings = store.pruner.holdings()
    assert {each.kind: each.reclaimable for each in found} == dict.fromkeys((each.kind for each in found), 0)
    assert holdings.spares == ()
    files = sum(each.size for each in found if each.kind in ("layer trees", "blobs", "contexts", "cache mounts"))
    assert abs(holdings.total - files) < 40_000, "all but the folders themselves, and the ends of blocks"
    with Store(root) as store:
        found = space.usage(store)
        assert sum(each.reclaimable for each in found) == store.pruner.holdings().total
    assert len(_make_room(root, 0)) == 5
    assert os.listdir(f"{root}/caches") == os.listdir(f"{root}/trees") == os.listdir(f"{root}/contexts") == []


def test_a_tree_that_is_made_again_is_measured_again(store: Store) -> None:
    layer = add_tree_layer(store, "small")
    remove_tree(store.layers.tree_path(layer.layer))
    before = store.pruner.holdings().total
    store.layers.set_tree(layer, finished_tree(store, BIG))
    assert store.pruner.holdings().total - before > 90_000


def test_where_the_cap_comes_from(store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.delenv("DOCKERCEPTION_KEEP_STORAGE", raising=False)
    disk = os.statvfs(store.root)
    assert space.cap(store) == space.Cap(disk.f_blocks * disk.f_frsize // 10, "a tenth of the disk")
    file = tmp_path / "dockerception" / "config.toml"
    file.parent.mkdir()
    file.write_text('keep-storage = "none"')
    assert space.cap(store) == space.Cap(UNLIMITED, str(file))
    monkeypatch.setenv("DOCKERCEPTION_KEEP_STORAGE", "2g")
    assert space.cap(store).limit == 2 << 30
    assert space.cap(store, 5).limit == 5
    monkeypatch.setenv("DOCKERCEPTION_KEEP_STORAGE", "much")
    with pytest.raises(UsageError, match="“much” is not a size"):
        space.cap(store)
