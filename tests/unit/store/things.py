"""What the store's tests put into stores."""

from __future__ import annotations

import os
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
    return [
        os.path.join(folder, name) for folder in ("leases", "tmp") for name in os.listdir(os.path.join(root, folder))
    ]


def python(program: str, *arguments: str) -> subprocess.Popen[str]:
    """A process that runs a program of these tests; its output is a pipe."""
    path = os.path.join(os.path.dirname(__file__), "programs", f"{program}.py")
    return subprocess.Popen(
        [sys.executable, "-I", path, *arguments], stdout=subprocess.PIPE, stdin=subprocess.PIPE, text=True
    )
