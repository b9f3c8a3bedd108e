"""Contexts made of contexts, and the layers of an image as one tree, against a model that applies them one by one."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dockerception.context import select
from dockerception.context.base import Context
from dockerception.context.compose import Filtered, Subtree, empty, merged
from dockerception.context.directory import DirectoryContext
from dockerception.context.image import layered_context
from dockerception.errors import ContextError
from dockerception.oci.entry import Entry, parents
from unit.context.trees import Tree, file, folder, hardlink, link, rules, shown, text, tree, whiteout

Item = tuple[Entry, bytes]


def _consistent(context: Context) -> None:
    """All ways to look at a context agree, and the order is canonical."""
    walked = list(context.walk(""))
    assert [entry.path for entry in walked] == sorted(
        (entry.path for entry in walked), key=lambda path: path.split("/")
    )
    for entry in walked:
        assert context.find(entry.path) == entry
        below = [other for other in walked if other.path.startswith(entry.path + "/")]
        assert list(context.walk(entry.path)) == [entry, *below]
        depth = entry.path.count("/") + 1
        assert list(context.children(entry.path)) == [other for other in below if other.path.count("/") == depth]


_PROJECT = Tree(
    folder("app"),
    file("app/main", "main", uid=5),
    folder("app/sub"),
    hardlink("app/sub/main", "app/main"),
    hardlink("app/tool", "lib/tool"),
    link("app/up", "../lib"),
    folder("lib"),
    file("lib/tool", "tool"),
    keeps_owners=True,
)


def test_a_subtree() -> None:
    part = Subtree(_PROJECT, "app")
    assert shown(part) == {
        "": "/", "main": "main", "sub": "/", "sub/main": "== main", "tool": "tool", "up": "-> ../lib",
    }  # fmt: skip
    assert (text(part, "sub/main"), text(part, "tool")) == ("main", "tool")
    assert part.keeps_owners
    assert part.origin == "the directory app of the test"
    main, root = part.find("main"), part.find("")
    assert main is not None
    assert (main.uid, main.path) == (5, "main")
    assert root is not None
    assert (root.kind, root.path) == ("directory", "")
    assert [entry.path for entry in part.children("sub")] == ["sub/main"]
    assert part.find("lib") is None
    assert select.resolve(part, "up") == "lib"
    assert shown(Subtree(_PROJECT, "")) == shown(_PROJECT)


@pytest.mark.parametrize(("path", "message"), [("app/main", "is a file, no directory"), ("x", "does not exist")])
def test_a_subtree_must_be_a_directory(path: str, message: str) -> None:
    with pytest.raises(ContextError, match=f"{path} of the test {message}"):
        Subtree(_PROJECT, path)


def test_a_subtree_hashes_ahead_where_that_is_possible(tmp_path: object) -> None:
    (tmp_path / "d").mkdir()  # type: ignore[operator]
    (tmp_path / "d" / "f").write_text("x")  # type: ignore[operator]
    part = Subtree(DirectoryContext(str(tmp_path)), "d")
    assert isinstance(part, select.HashesAhead)
    assert select.content_digest(part, "", owners=False) == select.content_digest(tree({"f": "x"}), "", owners=False)


def test_a_filtered_context() -> None:
    part = Filtered(_PROJECT, rules("lib", "app/sub", "app/u*"))
    assert shown(part) == {"app": "/", "app/main": "main", "app/tool": "tool"}
    assert part.find("lib/tool") is None
    assert part.find("") is not None
    assert [entry.path for entry in part.children("")] == ["app"]
    assert (part.keeps_owners, part.origin) == (True, "the test")
    _consistent(part)


_names = st.sampled_from(["a", "b", "c"])
_paths = st.lists(_names, min_size=1, max_size=3).map("/".join)
_lines = st.lists(st.sampled_from(["a", "*/b", "!a/b/c", "!**/c", "b/*", "!b/a", "*"]), max_size=4)


@given(st.lists(_paths, max_size=8), _lines)
def test_filtering_leaves_out_what_is_ignored(paths: list[str], lines: list[str]) -> None:
    files = {path: "" for path in paths if not any(other.startswith(path + "/") for other in paths)}
    ignore, whole = rules(*lines), tree(dict(files))
    part = Filtered(whole, ignore)
    kept = {path for path in whole.entries.paths() if not ignore.is_ignored(path)}
    assert {entry.path for entry in part.walk("")} == kept | {above for path in kept for above in parents(path)}
    _consistent(part)


def test_merged_contexts() -> None:
    lower = tree({"Dockerfile": "old", "d/a": "1", "d/b": "1", "x/y": "1", "f": "1"})
    upper = tree({"Dockerfile": "new", "d/b": "2", "x": "2", "f/g": "2"})
    both = merged([lower, upper], origin="both")
    assert shown(both) == {
        "Dockerfile": "new", "d": "/", "d/a": "1", "d/b": "2", "f": "/", "f/g": "2", "x": "2",
    }  # fmt: skip
    assert both.find("x/y") is None
    assert (both.origin, both.keeps_owners) == ("both", False)
    _consistent(both)


def test_the_empty_context() -> None:
    nothing = empty()
    assert (shown(nothing), list(nothing.children("")), nothing.find("a")) == ({}, [], None)
    assert nothing.find("") is not None
    assert select.glob(nothing, "*") == []


def _image(*layers: list[Item]) -> Context:
    return layered_context([Tree(*layer) for layer in layers], origin="the image")


def test_layers() -> None:
    image = _image(
        [
            folder("etc", mode=0o700),
            file("etc/a", "1"),
            file("etc/b", "1", uid=9),
            folder("gone"),
            file("gone/x", "1"),
            file("f", "1"),
        ],
        [folder("etc"), whiteout("etc/a"), whiteout("gone"), folder("f"), file("f/g", "2")],
        [folder("opaque"), file("opaque/x", "3"), file("etc/c", "3")],
        [folder("opaque", is_opaque=True), file("opaque/y", "4")],
    )
    assert shown(image) == {
        "etc": "/", "etc/b": "1", "etc/c": "3", "f": "/", "f/g": "2", "opaque": "/", "opaque/y": "4",
    }  # fmt: skip
    etc, b, opaque = image.find("etc"), image.find("etc/b"), image.find("opaque")
    assert etc is not None
    assert etc.mode == 0o755
    assert b is not None
    assert b.uid == 9
    assert opaque is not None
    assert not opaque.is_opaque
    assert (image.find("gone/x"), image.find("opaque/x"), image.find("etc/a")) == (None, None, None)
    assert image.keeps_owners
    _consistent(image)


def test_parents_that_a_layer_only_implies() -> None:
    image = _image(
        [folder("a", mode=0o700), file("b", "file")], [file("a/x", "1"), file("b/y", "1"), file("c/d/z", "1")]
    )
    assert shown(image) == {"a": "/", "a/x": "1", "b": "/", "b/y": "1", "c": "/", "c/d": "/", "c/d/z": "1"}
    a, c = image.find("a"), image.find("c")
    assert a is not None
    assert a.mode == 0o700
    assert c is not None
    assert c.mode == 0o755
    _consistent(image)


def test_a_directory_removed_and_made_anew_in_one_layer() -> None:
    image = _image([folder("d"), file("d/old", "1")], [whiteout("d"), file("d/new", "2")])
    assert shown(image) == {"d": "/", "d/new": "2"}
    _consistent(image)


def test_hard_links_of_layers() -> None:
    image = _image(
        [file("a", "one", mode=0o755), hardlink("b", "a"), hardlink("b2", "b"), file("c", "two"), hardlink("d", "c")],
        [file("c", "new"), hardlink("e", "a")],
    )
    assert shown(image) == {"a": "one", "b": "== a", "b2": "== a", "c": "new", "d": "two", "e": "== a"}
    assert [text(image, path) for path in ("b", "b2", "d", "e")] == ["one", "one", "two", "one"]
    _consistent(image)


@pytest.mark.parametrize("target", ["nowhere", "l", "dir"])
def test_a_hard_link_to_no_file_is_an_error(target: str) -> None:
    image = _image([folder("dir"), hardlink("l", target)])
    with pytest.raises(ContextError, match="The hard link l of the image does not lead to a file"):
        image.find("l")


def test_digests_come_from_the_list_if_they_are_in_it() -> None:
    known, unknown = Tree(file("a", "x")), Tree(file("b", "x", digest=b""))
    image = layered_context([known, unknown], origin="the image")
    a, b = image.find("a"), image.find("b")
    assert a is not None
    assert b is not None
    assert image.digest(a) == image.digest(b) == a.digest


def test_only_layers_that_are_needed_are_listed() -> None:
    class Untouched:
        def toc(self) -> object:
            raise AssertionError("listed")

        read = toc

    image = layered_context([Untouched(), Tree(file("etc/passwd", "root"))], origin="the image")  # type: ignore[list-item]
    assert text(image, "etc/passwd") == "root"


def test_very_deep_images() -> None:
    deep = "/".join("a" * 1500)
    image = _image([file(deep, "x")], [file(deep + "b", "y")])
    assert len(shown(image)) == 1501


_texts = st.sampled_from("123")
_items = st.one_of(
    st.builds(file, _paths, _texts),
    st.builds(folder, _paths),
    st.builds(folder, _paths, is_opaque=st.just(True)),
    st.builds(whiteout, _paths),
)


def _sound(items: list[Item]) -> list[Item]:
    """The items as a layer could have them: nothing below what is no directory, all parents there."""
    layer: dict[str, Item] = {}
    for item in items:
        path = item[0].path
        above = [layer[directory][0].kind for directory in parents(path) if directory in layer]
        if path not in layer and all(kind == "directory" for kind in above):
            for directory in parents(path):
                layer.setdefault(directory, folder(directory))
            layer[path] = item
    return list(layer.values())


def _applied(layers: list[list[Item]]) -> dict[str, str]:
    """What unpacking the layers one after the other leaves."""
    result: dict[str, str] = {}
    for layer in layers:
        for entry, _ in layer:
            if entry.kind == "whiteout" or entry.is_opaque:
                _remove(result, entry.path, is_below_only=entry.is_opaque)
        for entry, contents in sorted(layer, key=lambda item: item[0].path.split("/")):
            if entry.kind == "directory":
                if result.get(entry.path) != "/":
                    _remove(result, entry.path)
                result[entry.path] = "/"
            elif entry.kind != "whiteout":
                _remove(result, entry.path)
                result[entry.path] = contents.decode()
    return result


def _remove(result: dict[str, str], path: str, *, is_below_only: bool = False) -> None:
    for other in list(result):
        if other.startswith(path + "/") or (other == path and not is_below_only):
            del result[other]


@settings(max_examples=400)
@given(st.lists(st.lists(_items, max_size=6).map(_sound), max_size=4))
def test_layers_show_what_unpacking_them_leaves(layers: list[list[Item]]) -> None:
    image = _image(*layers)
    assert shown(image) == _applied(layers)
    _consistent(image)
