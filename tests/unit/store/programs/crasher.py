"""Runs one scenario in the store at argv[1] and kills itself (SIGKILL) before and after every single call out of the
store's code that could change the disk; after each death the scenario must run to its end, and leave all in order.

Prints the number of deaths; ends with a traceback if something was wrong after one.
"""

from __future__ import annotations

import os
import shutil
import signal
import sys
from collections.abc import Callable
from types import FrameType
from typing import Any

import dockerception.store
from dockerception.reference import Reference
from dockerception.store.records import Record
from dockerception.store.removal import remove_tree
from dockerception.store.store import Store
from unit.store.things import add_blob_layer, config, finished_tree, inconsistencies, leftovers, toc

_ROOM = os.path.dirname(dockerception.store.__file__)
_CALLS = {
    "execute",
    "executemany",
    "rename",
    "fsync",
    "unlink",
    "mkdir",
    "open",
    "write",
    "flock",
    "close",
    "ftruncate",
}
_NAME = Reference.parse("app")
_KEY = "1" * 64


def _scenario(root: str) -> None:
    with Store(root) as store:
        blob_layer = add_blob_layer(store)
        tree_layer = store.layers.add_tree(finished_tree(store))
        tree_layer = store.layers.set_toc(tree_layer, toc("file"))
        tree_layer = store.layers.set_blob(tree_layer, str(store.blobs.put(b"tar of it")), toc("file", offset=512))
        spool = store.contexts.new_spool()
        with open(spool, "wb") as file:
            file.write(b"spooled")
        context = store.contexts.keep(toc("Dockerfile"), spool)
        image = store.images.add(config(), [blob_layer.layer, tree_layer.layer], [_NAME])
        store.records.put([Record(_KEY, context.encode(), (f"context:{context}",))])
        store.images.remove(store.images.add(config(1), [store.layers.add_tree(finished_tree(store)).layer]).image)
        assert store.records.get(_KEY) == context.encode()
    with Store(root) as store:
        store.pruner.prune(remove=remove_tree)
        assert store.images.find("app") == image


def _check(root: str) -> None:
    """What must be true after a death: what was named is whole or not there; all is well after the next run."""
    with Store(root) as store:
        assert leftovers(root) == []
        listed = store.images.all()
        assert [each.names for each in listed if each.names] in ([], [(str(_NAME),)])
        for each in listed:
            assert store.layers.find_all(each.image.layers)
            for layer in map(store.layers.get, each.image.layers):
                assert not layer.toc or len(store.layers.toc(layer)) == 1
    _scenario(root)
    assert leftovers(root) == []
    assert inconsistencies(root) == []


def _die_at(number: int) -> Callable[[FrameType, str, Any], None]:
    passed = 0

    def profile(frame: FrameType, event: str, argument: Any) -> None:
        nonlocal passed
        if event in ("c_call", "c_return") and argument.__name__ in _CALLS and _is_ours(frame):
            if passed == number:
                os.kill(os.getpid(), signal.SIGKILL)
            passed += 1

    return profile


def _is_ours(frame: FrameType) -> bool:
    return os.path.dirname(frame.f_code.co_filename) == _ROOM


def _dies(root: str, number: int) -> bool:
    child = os.fork()
    if child == 0:
        sys.setprofile(_die_at(number))
        _scenario(root)
        os._exit(0)
    return os.WIFSIGNALED(os.waitpid(child, 0)[1])


def main(root: str, step: int) -> None:
    os.fsync = lambda fd: None  # what a process has written survives its death without
    deaths = 0
    while _dies(root, deaths * step):
        _check(root)
        shutil.rmtree(root)
        deaths += 1
    print(deaths)


main(sys.argv[1], int(sys.argv[2]))
