"""Contexts in directories of one context."""

from __future__ import annotations

import hashlib

from dockerception.context.folders import Folders
from dockerception.oci.entry import HARDLINK
from unit.context.trees import Tree, file, folder, hardlink, shown, text


def test_each_context_has_a_directory() -> None:
    first = Tree(folder("d", mode=0o700), file("d/f", "first"))
    second = Tree(file("a", "second"))
    both = Folders({"y": second, "x": first}, origin="both")
    assert shown(both) == {"x": "/", "x/d": "/", "x/d/f": "first", "y": "/", "y/a": "second"}
    assert [entry.path for entry in both.children("")] == ["x", "y"]
    assert [entry.path for entry in both.children("x")] == ["x/d"]
    assert [entry.path for entry in both.walk("x/d")] == ["x/d", "x/d/f"]
    assert [entry.path for entry in both.walk("y")] == ["y", "y/a"]
    found = [both.find(path) for path in ("", "x", "x/d", "x/d/f", "z", "z/a", "y/nothing")]
    assert [entry and (entry.path, entry.mode) for entry in found] == [
        ("", 0o755),
        ("x", 0o755),
        ("x/d", 0o700),
        ("x/d/f", 0o644),
        None,
        None,
        None,
    ]
    assert found[3] is not None
    assert both.digest(found[3]) == hashlib.sha256(b"first").digest()


def test_hard_links_stay_inside() -> None:
    both = Folders({"x": Tree(file("a", "text"), hardlink("b", "a"))}, origin="one")
    link = both.find("x/b")
    assert link is not None
    assert (link.kind, link.link) == (HARDLINK, "x/a")
    assert text(both, "x/b") == "text"


def test_owners_count_if_they_do_everywhere() -> None:
    with_owners, without = Tree(keeps_owners=True), Tree()
    assert Folders({"a": with_owners}, origin="").keeps_owners
    assert not Folders({"a": with_owners, "b": without}, origin="").keeps_owners
