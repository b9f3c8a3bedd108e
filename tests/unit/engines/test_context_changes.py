"""The layer between two states of a context."""

from __future__ import annotations

from dockerception.engines.embedded.context_changes import difference
from dockerception.oci.entry import Entry
from unit.context.trees import Tree, file, folder, hardlink, link

BEFORE = (file("a", "1"), folder("d"), file("d/x", "2"), folder("d/e"), file("d/e/y", "3"), link("l", "a"))


def changes(*wanted: tuple[Entry, bytes]) -> dict[str, str] | None:
    """The difference as kinds by path."""
    found = difference(Tree(*wanted).entries, Tree(*BEFORE))
    return None if found is None else {entry.path: entry.kind for entry in found}


def test_nothing_has_changed() -> None:
    assert changes(*BEFORE) == {}


def test_what_is_new_or_different_and_the_tops_of_what_is_gone() -> None:
    assert changes(file("a", "9"), folder("d"), file("d/x", "2"), file("n", "")) == {
        "a": "file",
        "d/e": "whiteout",
        "l": "whiteout",
        "n": "file",
    }
    assert changes() == {"a": "whiteout", "d": "whiteout", "l": "whiteout"}
    assert changes(*BEFORE[:5], link("l", "b")) == {"l": "symlink"}
    assert changes(*BEFORE[1:], file("a", "1", mode=0o600)) == {"a": "file"}
    assert changes(*BEFORE[1:], file("a", "1", mtime=5)) == {"a": "file"}


def test_a_file_in_the_place_of_a_directory_needs_no_whiteouts_below_it() -> None:
    assert changes(file("a", "1"), file("d", "4"), link("l", "a")) == {"d": "file"}
    assert changes(folder("a"), file("a/b", ""), *BEFORE[1:]) == {"a": "directory", "a/b": "file"}


def test_hard_links_are_copied_whole() -> None:
    assert changes(*BEFORE, hardlink("h", "a")) is None
