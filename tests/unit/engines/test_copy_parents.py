"""COPY --parents: which directories above a source come along (Dockerfile reference, "COPY --parents")."""

from __future__ import annotations

import pytest

from dockerception.errors import ContextError
from unit.context.trees import Tree, file, folder, link
from unit.engines.copies import copied, names

FILES = Tree(
    folder("x", mode=0o700),
    folder("x/y"),
    file("x/y/a.txt", "1"),
    file("x/y/b.log", "2"),
    folder("x/z"),
    file("x/z/c.txt", "3"),
    link("s", "x/y"),
    file("top.txt", "4"),
)


@pytest.mark.parametrize(
    ("sources", "expected"),
    [
        ("x/y/a.txt", ["to/", "to/x/", "to/x/y/", "to/x/y/a.txt"]),
        ("./x/y/a.txt /top.txt", ["to/", "to/top.txt", "to/x/", "to/x/y/", "to/x/y/a.txt"]),
        ("x/./y/a.txt", ["to/", "to/y/", "to/y/a.txt"]),
        ("x/./*/*.txt", ["to/", "to/y/", "to/y/a.txt", "to/z/", "to/z/c.txt"]),
        ("**/*.txt", ["to/", "to/top.txt", "to/x/", "to/x/y/", "to/x/y/a.txt", "to/x/z/", "to/x/z/c.txt"]),
        ("x/./y", ["to/", "to/y/", "to/y/a.txt", "to/y/b.log"]),
        ("s/./a.txt", ["to/", "to/a.txt"]),
        ("./././top.txt", ["to/", "to/top.txt"]),
        ("*.nothing", ["to/"]),
        ("x/*/./*.txt", ["to/", "to/a.txt", "to/c.txt"]),
        ("*/./*/*.txt", ["to/", "to/y/", "to/y/a.txt", "to/z/", "to/z/c.txt"]),
        ("./x/./y/./a.txt", ["to/", "to/x/", "to/x/y/", "to/x/y/a.txt"]),
        ("nowhere*/./a.txt", []),
    ],
)
def test_what_is_copied(sources: str, expected: list[str]) -> None:
    toc, _ = copied(f"COPY --parents {sources} /to/", FILES)
    assert names(toc) == expected


def test_directories_keep_their_modes_and_get_the_owner() -> None:
    toc, contents = copied("COPY --parents --chown=5:6 x/y/a.txt /to/", FILES, owner=(5, 6))
    directory = toc.find("to/x")
    assert directory is not None
    assert (directory.mode, directory.uid, directory.gid) == (0o700, 5, 6)
    assert contents == {"to/x/y/a.txt": b"1"}


def test_exclude_is_about_paths_below_the_pivot() -> None:
    toc, _ = copied("COPY --parents --exclude=*/b.log x/./y /to/", FILES)
    assert names(toc) == ["to/", "to/y/", "to/y/a.txt"]


def test_a_source_that_is_not_there() -> None:
    for source in ("x/./nothing", "nothing/./a.txt"):
        with pytest.raises(ContextError, match=f"“{source}” is not in"):
            copied(f"COPY --parents {source} /to/", FILES)
