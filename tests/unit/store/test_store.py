"""Opening a store, and what can be wrong with one."""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from dockerception.errors import DiskFullError, StoreError
from dockerception.store import database
from dockerception.store.database import Database
from dockerception.store.store import Store, default_root
from unit.store.things import add_blob_layer, add_tree_layer, toc


def _mode(path: str) -> int:
    return os.stat(path).st_mode & 0o777


def test_a_new_store_is_its_users_alone(root: str) -> None:
    Store(root).close()
    assert _mode(root) == 0o700
    for folder in ("blobs", "blobs/sha256", "trees", "contexts", "caches", "leases", "tmp", "logs"):
        assert _mode(os.path.join(root, folder)) == 0o700
    assert _mode(os.path.join(root, "store.db")) == 0o600
    assert Path(root, "oci-layout").read_text(encoding="ascii") == '{"imageLayoutVersion":"1.0.0"}'


def test_a_directory_that_was_there_keeps_its_mode(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    Store(str(tmp_path)).close()
    assert _mode(str(tmp_path)) == 0o755
    assert _mode(str(tmp_path / "trees")) == 0o700


def test_where_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKERCEPTION_HOME", str(tmp_path / "chosen"))
    assert default_root() == str(tmp_path / "chosen")
    with Store() as store:
        assert store.root == str(tmp_path / "chosen")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DOCKERCEPTION_HOME", "relative")
    assert default_root() == str(tmp_path / "relative")
    monkeypatch.setenv("DOCKERCEPTION_HOME", "")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    assert default_root() == str(tmp_path / "data" / "dockerception")


def _write(content: bytes) -> Callable[[str], None]:
    def write(root: str) -> None:
        Path(root, "store.db").write_bytes(content)

    return write


def _damage(root: str) -> None:
    with Store(root) as store:
        add_blob_layer(store)
    with open(os.path.join(root, "store.db"), "r+b") as file:
        file.seek(16)
        file.write(os.urandom(20_000))


def _of_the_future(root: str) -> None:
    connection = sqlite3.connect(os.path.join(root, "store.db"))
    connection.execute("PRAGMA user_version = 99")
    connection.close()


@pytest.mark.parametrize(
    ("spoil", "message", "hint"),
    [
        (_write(b"this is no database, and long enough to be seen as none" * 100), "is damaged", "move the store"),
        (_damage, "is damaged", "move the store"),
        (_of_the_future, "has schema version 99, not 2", "DOCKERCEPTION_HOME"),
        (lambda root: os.mkdir(os.path.join(root, "store.db")), "can't be written", "DOCKERCEPTION_HOME"),
    ],
)
def test_a_database_that_can_not_be_used(root: str, spoil: Callable[[str], None], message: str, hint: str) -> None:
    os.mkdir(root)
    spoil(root)

    def use() -> None:
        with Store(root) as store:
            store.blobs.put(b"blob")

    with pytest.raises(StoreError) as caught:
        use()
    assert message in caught.value.message
    assert root in caught.value.message
    assert hint in caught.value.hint


def test_a_database_of_the_future_is_left_as_it_is(root: str) -> None:
    os.mkdir(root)
    _of_the_future(root)
    before = Path(root, "store.db").read_bytes()
    with pytest.raises(StoreError):
        Store(root)
    assert Path(root, "store.db").read_bytes() == before


def test_a_file_in_place_of_the_store(root: str) -> None:
    Path(root).write_bytes(b"")
    with pytest.raises(StoreError) as caught:
        Store(root)
    assert root in caught.value.message
    assert "DOCKERCEPTION_HOME" in caught.value.hint


def test_a_store_that_misses_a_folder(root: str) -> None:
    Store(root).close()
    os.rmdir(os.path.join(root, "leases"))
    with pytest.raises(StoreError) as caught:
        Store(root)
    assert "leases" in caught.value.message


def test_a_store_that_is_busy_for_too_long(root: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "_BUSY_SECONDS", 0.05)
    with Store(root) as store:
        other = sqlite3.connect(os.path.join(root, "store.db"), isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreError, match="has been busy") as caught:
            store.blobs.put(b"blob")
        assert caught.value.hint
        other.execute("ROLLBACK")
        other.close()
        store.blobs.put(b"blob")


def test_a_full_database_is_a_full_disk(root: str) -> None:
    Store(root).close()
    opened = Database(os.path.join(root, "store.db"))
    with opened.reading() as connection:
        pages = connection.execute("PRAGMA page_count").fetchone()[0]
        connection.execute(f"PRAGMA max_page_count = {pages}")

    def fill() -> None:
        with opened.writing() as connection:
            connection.execute("INSERT INTO listings VALUES ('a', ?)", (bytes(100_000),))

    with pytest.raises(DiskFullError) as caught:
        fill()
    assert "store.db" in caught.value.message
    assert "prune" in caught.value.hint
    with opened.reading() as connection:
        assert not connection.in_transaction
    opened.close()


def test_a_transaction_is_all_or_nothing(root: str) -> None:
    Store(root).close()
    opened = Database(os.path.join(root, "store.db"))

    def write(error: BaseException) -> None:
        with opened.writing() as connection:
            connection.execute("INSERT INTO listings VALUES ('a', 'b')")
            raise error

    for error in (ValueError(), KeyboardInterrupt()):
        with pytest.raises(type(error)):
            write(error)
        with opened.writing() as connection:
            assert connection.execute("SELECT * FROM listings").fetchall() == []
    opened.close()


def test_a_transaction_that_was_undone_holds_nothing(store: Store) -> None:
    layer = add_tree_layer(store)

    def hold_and_fail() -> None:
        with store._ledger.writing() as transaction:
            transaction.put("record:x", keeps=[f"layer:{layer.layer}"])
            transaction.hold("record:x")
            raise ValueError

    with pytest.raises(ValueError):  # noqa: PT011 - it has no message
        hold_and_fail()
    assert "record:x" not in store._ledger._held


def test_nested_transactions_are_a_mistake(store: Store) -> None:
    def nest() -> None:
        with store._ledger.writing(), store._ledger.writing():
            pass

    with pytest.raises(RuntimeError):
        nest()
    store.blobs.put(b"still usable")


def test_threads_share_a_store(store: Store) -> None:
    errors: list[BaseException] = []

    def work(number: int) -> None:
        try:
            for index in range(20):
                data = f"{index}".encode()
                assert store.blobs.read(str(store.blobs.put(data))) == data
                layer = add_blob_layer(store, f"{index}")
                store.layers.set_toc(add_tree_layer(store), toc(f"{number}"))
                assert store.layers.find(layer.layer) == layer
        except BaseException as error:  # noqa: BLE001 - handed to the main thread
            errors.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    rows = store._ledger.rows("SELECT count(DISTINCT diff_id), count(*) FROM layers WHERE has_blob")
    assert rows == [(20, 20)]
