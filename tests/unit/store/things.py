"""What the store's tests put into stores."""

from __future__ import annotations

import os
import pathlib
import sqlite3
import subprocess
import sys

from dockerception.oci import config as oci_config
from dockerception.oci.config import ImageConfig
from dockerception.oci.entry import Entry
from dockerception.oci.toc import Toc
from dockerception.reference import Platform
from dockerception.store.layers import Layer
from dockerception.store.removal import remove_tree
from dockerception.store.store import Store

NOWHERE = "sha256:" + "0" * 64


def toc(*names: str, size: int = 1, offset: int = -1) -> Toc:
    """A toc of files with these names."""
    return Toc.of(Entry(path=name, kind="file", size=size, offset=offset) for name in names)


def config(number: int = 0, platform: Platform | None = None) -> bytes:
    """The bytes of a config that differs from those of other numbers."""
    chosen = platform or Platform.host()
    return oci_config.encode(
        ImageConfig(architecture=chosen.architecture, os=chosen.os, variant=chosen.variant, author=f"author {number}")
    )


def add_blob_layer(store: Store, text: str = "layer") -> Layer:
    """A layer with a blob of this text, which stands for a tar."""
    diff_id = str(store.blobs.put(text.encode()))
    return store.layers.add_blob(diff_id=diff_id, toc=toc(text, offset=0))


def add_tree_layer(store: Store, text: str = "tree") -> Layer:
    """A layer with a tree that has one file of this text, and no other face."""
    return store.layers.add_tree(finished_tree(store, text))


def finished_tree(store: Store, text: str = "tree") -> str:
    """A directory in the scratch directory with one file of this text."""
    path = store.temporary(".tree")
    os.mkdir(path)
    with open(os.path.join(path, "file"), "w", encoding="utf-8") as file:
        file.write(text)
    return path


def prune(root: str, *, everything: bool = True, older_than: float = 0.0) -> set[str]:
    """Prune with a store of its own, so that nothing that the test holds is spared by accident; the ids that went."""
    with Store(root) as store:
        return set(store.pruner.prune(everything=everything, older_than=older_than, remove=remove_tree).things)


def leftovers(root: str) -> list[str]:
    """What lies in the folders for leases and for unfinished things."""
    return [os.path.join(folder, name) for folder in ("leases", "tmp") for name in os.listdir(f"{root}/{folder}")]


def inconsistencies(root: str) -> list[str]:
    """Rows without files, files without rows, and references to nothing; for a store that nobody uses."""
    connection = sqlite3.connect(f"{root}/store.db")
    things = {row[0] for row in connection.execute("SELECT id FROM things")}
    wanted = {f"blobs/sha256/{thing[12:]}" for thing in things if thing.startswith("blob:")}
    wanted |= {f"contexts/{thing[15:]}" for thing in things if thing.startswith("context:")}
    wanted |= {f"trees/{row[0]}" for row in connection.execute("SELECT layer FROM layers WHERE has_tree")}
    there = {
        f"{folder}/{name}"
        for folder in ("blobs/sha256", "contexts", "trees")
        for name in os.listdir(f"{root}/{folder}")
    }
    wrong = [f"no file: {path}" for path in wanted - there] + [f"no row: {path}" for path in there - wanted]
    for source, target in connection.execute("SELECT source, target FROM refs"):
        wrong += [f"no such thing: {each} in {source} -> {target}" for each in (source, target) if each not in things]
    for kind, table, key in (("layer", "layers", "layer"), ("image", "images", "config"), ("record", "records", "key")):
        facts = {f"{kind}:{row[0]}" for row in connection.execute(f"SELECT {key} FROM {table}")}
        wrong += [
            f"facts and things differ: {each}"
            for each in facts ^ {each for each in things if each.startswith(f"{kind}:")}
        ]
    wrong += [str(row[0]) for row in connection.execute("PRAGMA integrity_check") if row[0] != "ok"]
    connection.close()
    return wrong


def python(program: str, *arguments: str) -> subprocess.Popen[str]:
    """A process that runs one of ``programs/``; stdin and stdout are pipes."""
    tests = str(pathlib.Path(__file__).parents[2])
    return subprocess.Popen(
        [sys.executable, "-m", f"unit.store.programs.{program}", *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": tests},
    )
