"""Paths through links, wildcards, and digests that change exactly when what is copied changes."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dockerception.context import select
from dockerception.context.compose import Subtree
from dockerception.context.directory import DirectoryContext
from dockerception.errors import ContextError
from unit.context.trees import Tree, file, folder, hardlink, link, received, rules, stream, tree

_ROOT = Tree(
    folder("usr"),
    folder("usr/bin"),
    file("usr/bin/sh", "shell"),
    link("usr/bin/awk", "/etc/alternatives/awk"),
    folder("etc"),
    folder("etc/alternatives"),
    link("etc/alternatives/awk", "../../usr/bin/sh"),
    link("bin", "usr/bin"),
    link("lib", "/usr/./lib"),
    link("up", "../../../etc"),
    link("loop", "loop/x"),
    link("a", "b"),
    link("b", "/a"),
    link("self", "."),
)


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("", ""),
        ("/", ""),
        (".", ""),
        ("usr/bin/sh", "usr/bin/sh"),
        ("/bin//./sh/", "usr/bin/sh"),
        ("bin/awk", "usr/bin/sh"),
        ("up/alternatives", "etc/alternatives"),
        ("../../bin", "usr/bin"),
        ("usr/../bin/..", "usr"),
        ("lib/x86/ld.so", "usr/lib/x86/ld.so"),
        ("missing/../bin", "usr/bin"),
        ("usr/bin/sh/x", "usr/bin/sh/x"),
        ("self/self/bin/sh", "usr/bin/sh"),
    ],
)
def test_resolve(path: str, found: str) -> None:
    assert select.resolve(_ROOT, path) == found


@pytest.mark.parametrize(("path", "found"), [("bin", "bin"), ("self/bin/awk", "usr/bin/awk"), ("bin/.", "bin")])
def test_resolve_up_to_the_last_link(path: str, found: str) -> None:
    assert select.resolve(_ROOT, path, follows_last=False) == found


@pytest.mark.parametrize("path", ["loop", "a", "b/c", "loop/../bin"])
def test_circles_are_an_error(path: str) -> None:
    with pytest.raises(ContextError, match="in the test go round in circles"):
        select.resolve(_ROOT, path)


_links = st.sampled_from(["a", "b", "c", "/a/b", "../c", "..", ".", "b/../a", "/", "x/y"])


@given(st.dictionaries(st.sampled_from(["a", "b", "c"]), _links), st.lists(st.sampled_from(["a", "b", "..", "c"])))
def test_resolve_is_what_the_kernel_does_in_a_chroot(links: dict[str, str], parts: list[str]) -> None:
    """Whatever the links are, the result names no link, never leads out, and stays where it is."""
    context = Tree(*[link(name, target) for name, target in links.items()])
    try:
        found = select.resolve(context, "/".join(parts))
    except ContextError:
        return
    assert ".." not in found.split("/")
    assert select.resolve(context, found) == found
    entry = context.find(found)
    assert entry is None or entry.kind != "symlink"


_FILES = tree(
    {
        "a/x.txt": "", "a/y.txt": "", "a-b/x.txt": "", "b/x.txt": "", "b/sub/x.txt": "", "c.txt": "", "d.txt/e": "",
        "arr[0].txt": "", "back\\slash": "", ".hidden": "",
    }
)  # fmt: skip


@pytest.mark.parametrize(
    ("pattern", "found"),
    [
        ("*.txt", ["arr[0].txt", "c.txt", "d.txt"]),
        ("/*.txt", ["arr[0].txt", "c.txt", "d.txt"]),
        ("*/x.txt", ["a/x.txt", "a-b/x.txt", "b/x.txt"]),
        ("a*/*", ["a/x.txt", "a/y.txt", "a-b/x.txt"]),
        ("a/?.txt", ["a/x.txt", "a/y.txt"]),
        ("[ab]/./x.txt", ["a/x.txt", "b/x.txt"]),
        ("**/x.txt", ["a/x.txt", "a-b/x.txt", "b/x.txt"]),
        ("*/sub/x*", ["b/sub/x.txt"]),
        ("arr[[]0].txt", ["arr[0].txt"]),
        ("back\\slash", ["back\\slash"]),
        ("a*/\\x.txt", ["a/x.txt", "a-b/x.txt"]),
        ("*", [".hidden", "a", "a-b", "arr[0].txt", "b", "back\\slash", "c.txt", "d.txt"]),
        ("c.txt/*", []),
        ("missing", []),
        ("missing/*", []),
        ("a/", ["a"]),
        ("", [""]),
        (".", [""]),
        ("../a/../b/sub", ["b/sub"]),
    ],
)
def test_glob(pattern: str, found: list[str]) -> None:
    assert select.glob(_FILES, pattern) == found


def test_links_before_the_wildcard_are_followed_and_those_after_it_are_not() -> None:
    context = Tree(folder("real"), file("real/f", "x"), link("link", "real"), link("to-file", "real/f"))
    assert select.glob(context, "link/*") == ["real/f"]
    assert select.glob(context, "l*/*") == []
    assert select.glob(context, "to-*") == ["to-file"]
    assert select.glob(context, "to-file") == ["to-file"]
    assert select.glob(context, "link/f") == ["real/f"]


def test_a_malformed_pattern_is_an_error_even_where_nothing_matches() -> None:
    with pytest.raises(ContextError, match=r"“\[a” is not a valid pattern"):
        select.glob(_FILES, "missing/[a")


def test_very_deep_trees() -> None:
    deep = "/".join("a" * 1500)
    context = tree({deep: "x"})
    assert select.glob(context, "*/" * 1499 + "*") == [deep]
    assert select.resolve(context, deep) == deep
    assert select.content_digest(context, "", owners=False)


def _digest(*items: tuple[object, bytes], owners: bool = False, path: str = "") -> bytes:
    return select.content_digest(Tree(*items), path, owners=owners)  # type: ignore[arg-type]


_BASE = (folder("d"), file("d/f", "text", mode=0o755), link("d/l", "f"))


@pytest.mark.parametrize(
    "items",
    [
        (folder("d"), file("d/f", "text", mode=0o755, mtime=5), link("d/l", "f")),
        (folder("d", mtime=9, uid=3), file("d/f", "text", mode=0o755, uid=7, gid=8), link("d/l", "f")),
        (folder(""), *_BASE),
    ],
)
def test_what_does_not_count(items: tuple[tuple[object, bytes], ...]) -> None:
    assert _digest(*items) == _digest(*_BASE)


_CHANGED = {
    "text": (folder("d"), file("d/f", "Text", mode=0o755), link("d/l", "f")),
    "mode": (folder("d"), file("d/f", "text", mode=0o644), link("d/l", "f")),
    "name": (folder("d"), file("d/g", "text", mode=0o755), link("d/l", "f")),
    "link": (folder("d"), file("d/f", "text", mode=0o755), link("d/l", "g")),
    "type": (folder("d"), file("d/f", "text", mode=0o755), file("d/l", "f", mode=0o777)),
    "directory mode": (folder("d", mode=0o700), file("d/f", "text", mode=0o755), link("d/l", "f")),
    "attribute": (folder("d"), file("d/f", "text", mode=0o755, xattrs=(("user.a", b"1"),)), link("d/l", "f")),
    "more": (*_BASE, folder("d/m")),
    "less": _BASE[:2],
    "hard link": (folder("d"), file("d/f", "text", mode=0o755), hardlink("d/l", "d/f")),
    "moved": (file("d", "text", mode=0o755), link("f", "f")),
}


@pytest.mark.parametrize("case", _CHANGED)
def test_what_counts(case: str) -> None:
    assert _digest(*_CHANGED[case]) != _digest(*_BASE)


def test_all_cases_differ_from_each_other() -> None:
    assert len({_digest(*items) for items in _CHANGED.values()}) == len(_CHANGED)


def test_owners_count_only_if_asked() -> None:
    other = (folder("d"), file("d/f", "text", mode=0o755, uid=7), link("d/l", "f"))
    assert _digest(*other, owners=True) != _digest(*_BASE, owners=True)


def test_the_name_of_the_top_does_not_count() -> None:
    one = tree({"a/x/f": "1", "b/f": "1"})
    assert select.content_digest(one, "a/x", owners=False) == select.content_digest(one, "b", owners=False)
    assert select.content_digest(one, "a/x/f", owners=False) == select.content_digest(one, "b/f", owners=False)
    assert select.content_digest(one, "a", owners=False) != select.content_digest(one, "b", owners=False)
    assert select.content_digest(Subtree(one, "b"), "", owners=False) == select.content_digest(
        tree({"f": "1"}), "", owners=False
    )


def test_a_hard_link_out_of_the_copied_part_is_a_file() -> None:
    context = Tree(file("f", "text"), folder("d"), hardlink("d/l", "f"), folder("e"), file("e/l", "text"))
    assert select.content_digest(context, "d", owners=False) == select.content_digest(context, "e", owners=False)


def test_excluded_paths_do_not_count() -> None:
    with_log, without = tree({"d/f": "1", "d/x.log": "2"}), tree({"d/f": "1"})
    ignore = rules("*.log")
    assert select.content_digest(with_log, "d", owners=False, exclude=ignore) == select.content_digest(
        without, "d", owners=False
    )
    linked = Tree(file("a.log", "1"), hardlink("b", "a.log"))
    assert select.content_digest(linked, "", owners=False, exclude=ignore) == select.content_digest(
        Tree(file("b", "1")), "", owners=False
    )


def test_a_missing_path_is_an_error() -> None:
    with pytest.raises(ContextError, match="There is no x in the test"):
        select.content_digest(_ROOT, "x", owners=False)


def test_the_format_does_not_change() -> None:
    """Caches of all machines hold these digests: another value needs another ``DIGEST_VERSION``."""
    assert _digest(*_BASE).hex() == "b434350583c347938bb1d8f99cd3ab97653a05cc4d0b754ef000ef6758784a0a"


@settings(max_examples=30, deadline=None)
@given(st.dictionaries(st.sampled_from(["a", "b/c", "b/d", "e/f/g", "b/h"]), st.text(max_size=5)))
def test_directories_and_streams_agree(tmp_path_factory: pytest.TempPathFactory, files: dict[str, str]) -> None:
    root = tmp_path_factory.mktemp("root")
    memory = tree(dict(files))
    for entry in memory.walk(""):
        path = root / entry.path
        if entry.kind == "directory":
            path.mkdir(mode=0o755)
            path.chmod(0o755)
        else:
            Path(path).write_bytes(os.fsencode(files[entry.path]))
            path.chmod(0o644)
    _, sent = received(stream([(entry, memory.contents[entry.path]) for entry in memory.walk("")]))
    digests = {
        select.content_digest(context, "", owners=False) for context in (memory, DirectoryContext(str(root)), sent)
    }
    assert len(digests) == 1
