"""Stores that are whole, and every way in which one can be damaged: found, told, and mended."""

from __future__ import annotations

import hashlib
import json
import os
import re
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from dockerception.oci.entry import Entry
from dockerception.oci.toc import Toc
from dockerception.reference import Reference
from dockerception.store.records import Record
from dockerception.store.removal import remove_tree
from dockerception.store.store import Store
from dockerception.store.verify import Verdict
from unit.store.things import add_blob_layer, add_tree_layer, finished_tree, inconsistencies

KEY = "1" * 64


class Filled:
    """A store with one thing of every kind, and where their files are."""

    def __init__(self, root: str) -> None:
        self.root = root
        with Store(root) as store:
            self.blob_layer = add_blob_layer(store)
            self.both = store.layers.set_tree(add_blob_layer(store, "both"), finished_tree(store))
            self.tree_layer = add_tree_layer(store)
            layers = [self.blob_layer.layer, self.tree_layer.layer]
            config = json.dumps(
                {"architecture": "amd64", "os": "linux", "rootfs": {"type": "layers", "diff_ids": ["a", "b"]}}
            ).encode()
            self.image = store.images.add(config, layers, [Reference.parse("app"), Reference.parse("app:2")])
            store.records.put([Record(KEY, b"value", (f"image:{self.image.image}",))])
            spool = store.contexts.new_spool()
            Path(spool).write_bytes(b"headcontents")
            entry = Entry(path="a", kind="file", size=8, offset=4, digest=_sha256(b"contents"))
            self.context = store.contexts.keep(Toc.of([entry]), spool)
            with store.mounts.use("never made", "shared"):
                pass
            store.layers.expect(f"sha256:{'e' * 64}", 1000)

    def blob(self, digest: str) -> Path:
        return Path(self.root, "blobs", "sha256", digest.removeprefix("sha256:"))

    @property
    def tree(self) -> str:
        return os.path.join(self.root, "trees", self.tree_layer.layer)

    def sql(self, statement: str) -> None:
        connection = sqlite3.connect(f"{self.root}/store.db")
        connection.execute(statement)
        connection.commit()
        connection.close()

    def verdict(self) -> Verdict:
        with Store(self.root) as store:
            return store.verify()


def _sha256(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


@pytest.fixture
def filled(root: str) -> Filled:
    return Filled(root)


def test_a_whole_store(filled: Filled) -> None:
    found = filled.verdict()
    assert (found.flaws, found.is_whole) == ((), True)
    files = sum(path.stat().st_size for path in Path(filled.root, "blobs", "sha256").iterdir())
    assert found.bytes_read == files + len(b"contents")


def _flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


DAMAGES: list[tuple[Callable[[Filled], object], str, str, bool]] = [
    # what happens, the kind of thing that it is told of, what is told, and whether the image is lost by it
    (lambda f: _flip(f.blob(f.blob_layer.diff_id)), "blob", "its bytes have the digest sha256:", True),
    (lambda f: f.blob(f.blob_layer.diff_id).unlink(), "blob", "its file is missing", True),
    (lambda f: f.blob(f.blob_layer.diff_id).unlink(), "layer", "its tar sha256:.* is missing", True),
    (lambda f: f.blob(f.blob_layer.toc).unlink(), "layer", "its list of files can't be read", True),
    (lambda f: _flip(f.blob(f.image.image)), "blob", "its bytes have the digest", True),
    (lambda f: f.blob(f.image.image).unlink(), "image", "its config can't be read", True),
    (lambda f: remove_tree(f.tree), "layer", "its tree is missing", True),
    (lambda f: f.blob(f.both.diff_id).unlink(), "layer", "its tar sha256:.* is missing", False),
    (lambda f: _flip(Path(f.root, "contexts", f.context[7:])), "context", "its file “a” is damaged", False),
    (lambda f: Path(f.root, "contexts", f.context[7:]).unlink(), "context", "its file is missing", False),
    (lambda f: f.blob(f.context).unlink(), "context", "its list of files can't be read", False),
    (lambda f: f.sql("DELETE FROM layers WHERE has_tree AND has_blob"), "layer", "nothing is known of it", False),
    (lambda f: f.sql("DELETE FROM images"), "image", "nothing is known of it", True),
    (lambda f: f.sql("DELETE FROM names WHERE name LIKE '%:2'"), "name", "nothing is known of it", False),
    (lambda f: f.sql("DELETE FROM things WHERE id LIKE 'image:%'"), "image", "it is known, but not there", True),
    (lambda f: f.sql("DELETE FROM things WHERE id LIKE 'layer:%'"), "image", "it needs layer:.* not there", True),
    (lambda f: f.sql("UPDATE images SET layers = '[]'"), "image", "another number of layers", True),
]


@pytest.mark.parametrize("number", range(len(DAMAGES)))
def test_damage_is_found_and_mended(filled: Filled, number: int) -> None:
    damage, kind, text, is_image_lost = DAMAGES[number]
    damage(filled)
    found = filled.verdict()
    assert not found.is_whole
    told = [flaw.text for flaw in found.flaws if flaw.thing.startswith(f"{kind}:")]
    assert any(re.search(text, each) for each in told), found.flaws
    with Store(filled.root) as store:
        forgotten = store.repair(found)
    again = filled.verdict()
    assert again.is_whole, again.flaws
    with Store(filled.root) as store:
        assert (store.images.find("app") is None) == is_image_lost
        assert (f"record:{KEY}" in forgotten) == (store.records.get(KEY) is None) == is_image_lost
        store.pruner.prune(remove=remove_tree)
    assert inconsistencies(filled.root) == []


def test_what_was_lost_can_be_made_again(filled: Filled) -> None:
    """A damaged file does not stand in the way of a sound one with its digest."""
    _flip(filled.blob(filled.blob_layer.diff_id))
    with Store(filled.root) as store:
        store.repair(store.verify())
        assert add_blob_layer(store).diff_id == filled.blob_layer.diff_id
    assert filled.verdict().is_whole


def test_a_layer_with_another_face_stays(filled: Filled) -> None:
    filled.blob(filled.both.diff_id).unlink()
    with Store(filled.root) as store:
        store.repair(store.verify())
        left = store.layers.get(filled.both.layer)
    assert (left.has_tree, left.has_blob) == (True, False)


def test_rubbish_is_told_and_is_no_damage(filled: Filled) -> None:
    for folder in ("blobs/sha256", "trees", "contexts", "caches"):
        Path(filled.root, folder, "0" * 64).mkdir()
    found = filled.verdict()
    assert found.is_whole
    assert [(flaw.kind, flaw.text) for flaw in found.flaws] == [("rubbish", "nothing knows of it")] * 4
    with Store(filled.root) as store:
        assert store.repair(found) == ()
        store.pruner.prune(remove=remove_tree)
    assert filled.verdict().flaws == ()
