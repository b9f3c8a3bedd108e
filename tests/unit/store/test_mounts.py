"""Cache mounts: who may use a directory at a time."""

from __future__ import annotations

import os
import queue
import threading

from dockerception.store.mounts import Sharing
from dockerception.store.store import Store


def _in_thread(root: str, name: str, sharing: Sharing, found: queue.Queue[str]) -> threading.Thread:
    def use() -> None:
        with Store(root) as store, store.mounts.use(name, sharing) as directory:
            found.put(directory)

    thread = threading.Thread(target=use)
    thread.start()
    return thread


def test_a_name_is_a_directory(store: Store, root: str) -> None:
    with store.mounts.use("/root/.cache", "shared") as first, store.mounts.use("/root/.cache", "shared") as second:
        assert first == second
        assert os.path.dirname(first) == os.path.join(root, "caches")
        assert not os.path.exists(first)
    with store.mounts.use("/var/cache\udce9", "shared") as other:
        assert other != first
    with Store(root) as again, again.mounts.use("/root/.cache", "locked") as third:
        assert third == first


def test_a_locked_one_is_waited_for(store: Store, root: str) -> None:
    found: queue.Queue[str] = queue.Queue()
    with store.mounts.use("name", "locked") as mine:
        thread = _in_thread(root, "name", "locked", found)
        thread.join(0.2)
        assert thread.is_alive()
        assert found.empty()
    assert found.get(timeout=30) == mine
    thread.join()


def test_a_private_one_that_is_in_use_is_another_one(store: Store, root: str) -> None:
    found: queue.Queue[str] = queue.Queue()
    with store.mounts.use("name", "private") as mine:
        _in_thread(root, "name", "private", found).join()
        other = found.get_nowait()
        assert other != mine
        with store.mounts.use("name", "private") as second:
            assert second == other  # the one that was made before, now free
    with store.mounts.use("name", "private") as again:
        assert again == mine


def test_a_lock_ends_with_an_error(store: Store, root: str) -> None:
    def fail() -> None:
        with store.mounts.use("name", "locked"):
            raise ValueError("broken off")

    for _ in range(2):
        try:
            fail()
        except ValueError as error:
            assert str(error) == "broken off"  # noqa: PT017 - the second time must not hang
