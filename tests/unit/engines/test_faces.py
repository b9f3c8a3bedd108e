"""Layers as blobs and tocs, without a sandbox."""

from __future__ import annotations

import hashlib
import io
import os
import tarfile

import pytest
from hypothesis import HealthCheck, given, settings

from dockerception.engines.embedded.faces import Faces
from dockerception.errors import ContextError, StoreError
from dockerception.oci import tarwriter
from dockerception.oci.entry import Entry
from dockerception.oci.toc import Toc
from dockerception.progress import Event, Notice, silent
from dockerception.sandbox.messages import DiffResult
from dockerception.store.layers import Layer
from unit.context.trees import Tree, file, folder, hardlink, link, shown, whiteout
from unit.engines.lab import Lab
from unit.engines.test_copying import trees


def added(lab: Lab, tree: Tree) -> Layer:
    """A layer with the entries of a tree."""
    return lab.faces.add(tree.toc(), tree.read, wants_tree=False, below=())


def blob(lab: Lab, layer: Layer) -> bytes:
    """The tar of a layer."""
    with open(lab.store.blobs.path(layer.diff_id), "rb") as opened:
        return opened.read()


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(trees())
def test_a_layer_is_a_tar_of_its_entries(lab: Lab, tree: Tree) -> None:
    layer = added(lab, tree)
    data = blob(lab, layer)
    assert layer.diff_id == f"sha256:{hashlib.sha256(data).hexdigest()}"
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        assert sorted(archive.getnames()) == sorted(entry.path for entry in tree.entries)
    assert shown(lab.faces.view([layer.layer], "it")) == shown(tree)


@given(trees())
def test_places_are_where_the_writer_puts_contents(tree: Tree) -> None:
    data = b"".join(bytes(chunk) for chunk in tarwriter.write(tree.entries, tree.read))
    for entry in tarwriter.place(tree.entries):
        if entry.kind == "file":
            assert data[entry.offset : entry.offset + entry.size] == tree.contents[entry.path]
        else:
            assert entry.offset == -1


def test_equal_entries_are_one_layer(lab: Lab) -> None:
    one, two = (added(lab, Tree(file("b", "2"), file("a", "1"))) for _ in range(2))
    assert one.layer == two.layer


def test_a_stack_of_layers(lab: Lab) -> None:
    layers = [
        added(lab, Tree(folder("d"), file("d/a", "1"), file("d/b", "2"))),
        added(lab, Tree(whiteout("d/a"), link("l", "d/b"))),
    ]
    assert shown(lab.faces.view([layer.layer for layer in layers], "it")) == {
        "d": "/",
        "d/b": "2",
        "l": "-> d/b",
    }


@pytest.mark.parametrize("size", [0, 2, 4])
def test_a_file_of_another_size_than_listed_is_an_error(lab: Lab, size: int) -> None:
    entry = Entry(path="a", kind="file", size=3)
    with pytest.raises(ContextError, match="changed while it was being read"):
        lab.faces.add(Toc.of([entry]), lambda entry: [b"x" * size], wants_tree=False, below=())


def test_a_layer_that_is_gone_says_so(lab: Lab) -> None:
    with pytest.raises(StoreError):
        lab.faces.toc(["0123456789ab"])


def test_a_truncated_blob_is_an_error(lab: Lab) -> None:
    layer = added(lab, Tree(file("a", "text")))
    view = lab.faces.view([layer.layer], "it")
    entry = view.find("a")
    assert entry is not None
    with open(lab.store.blobs.path(layer.diff_id), "r+b") as opened:
        opened.truncate(514)
    with pytest.raises(StoreError, match="truncated"):
        b"".join(map(bytes, view.read(entry)))


class Listing:
    """A sandbox that lists trees in its own way."""

    def __init__(self, found: DiffResult) -> None:
        self.found = found

    def diff(self, tree: str) -> DiffResult:
        return self.found


def test_a_tree_is_listed_once_and_what_it_can_not_hold_is_said(lab: Lab) -> None:
    events: list[Event] = []
    sandbox = Listing(DiffResult(toc=Tree(file("a")).toc(), warnings=("The socket /s is left out.",)))
    faces = Faces(lab.store, lambda: sandbox, events.append)  # type: ignore[arg-type, return-value]
    finished = lab.store.temporary(".upper")
    os.mkdir(finished)
    layer = lab.store.layers.add_tree(finished)
    for _ in range(2):
        assert list(faces.toc([layer.layer]).paths()) == ["a"]
    assert events == [Notice(text="The socket /s is left out.", severity="warning")]


@pytest.mark.parametrize(
    ("listed", "below", "kept"),
    [
        ([folder("", mode=0o755, mtime=9)], [folder("", mode=0o755)], []),
        ([folder("", mode=0o700)], [folder("", mode=0o755)], [""]),
        ([folder("d", mtime=1)], [folder("d", mtime=1)], []),
        ([folder("d", mtime=2)], [folder("d", mtime=1)], ["d"]),
        ([file("a", "1"), file("b", "1")], [file("a", "1"), file("b", "2")], ["b"]),
        ([whiteout("a")], [file("a", "1")], ["a"]),
        ([file("a", "1"), hardlink("b", "a")], [file("a", "1")], ["a", "b"]),
    ],
)
def test_what_an_overlay_copied_up_is_no_part_of_the_layer(
    lab: Lab, listed: list[tuple[Entry, bytes]], below: list[tuple[Entry, bytes]], kept: list[str]
) -> None:
    base = added(lab, Tree(*below))
    sandbox = Listing(DiffResult(toc=Tree(*listed).toc()))
    faces = Faces(lab.store, lambda: sandbox, silent)  # type: ignore[arg-type, return-value]
    finished = lab.store.temporary(".upper")
    os.mkdir(finished)
    layer = lab.store.layers.add_tree(finished)
    assert list(faces.toc([base.layer, layer.layer]).paths()) == kept
