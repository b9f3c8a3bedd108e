"""A single top directory is stripped only where it was meant, and ignore files are applied to streams."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dockerception.context import control_file
from dockerception.context.reshape import apply_ignore, strip_single_directory
from dockerception.context.tar_context import TarContext
from dockerception.errors import ContextError, StoreError
from dockerception.oci.toc import Toc
from unit.context import trees
from unit.context.trees import file, folder, hardlink, link, received, rules, shown, stream, tree


def test_the_single_directory_that_has_the_dockerfile_is_the_root() -> None:
    data = stream(
        [folder("p"), file("p/Dockerfile", "FROM x"), file("p/a/b", "1"), hardlink("p/c", "p/a/b"), link("p/l", "/p")]
    )
    got, context = received(data)
    toc, note = strip_single_directory(got.toc, "Dockerfile")
    assert list(toc.paths()) == ["Dockerfile", "a", "a/b", "c", "l"]
    c, target = toc.find("c"), toc.find("l")
    assert c is not None
    assert c.link == "a/b"
    assert target is not None
    assert target.link == "/p"
    assert "“p”" in note
    assert context.find("p/a/b") is not None


@pytest.mark.parametrize(
    ("paths", "name"),
    [
        (["p/Dockerfile", "Dockerfile"], "Dockerfile"),
        (["p/Dockerfile", "q/x"], "Dockerfile"),
        (["p/Dockerfile"], "Other"),
        (["p/q/Dockerfile"], "Dockerfile"),
        (["p/Dockerfile/x"], "Dockerfile"),
        ([], "Dockerfile"),
        (["p"], "p"),
    ],
)
def test_otherwise_nothing_is_stripped(paths: list[str], name: str) -> None:
    toc = tree(dict.fromkeys(paths, "")).entries
    assert strip_single_directory(toc, name) == (toc, "")


def test_a_dockerfile_deeper_down_counts_where_it_is_named() -> None:
    toc, note = strip_single_directory(tree({"p/docker/Dockerfile": ""}).entries, "docker/Dockerfile")
    assert list(toc.paths()) == ["docker", "docker/Dockerfile"]
    assert "docker/Dockerfile" in note


def test_ignored_entries_are_dropped_and_counted() -> None:
    toc = tree({"Dockerfile": "", "a.log": "", "d/x": "", "d/y.md": "", "keep": ""}).entries
    kept, dropped = apply_ignore(toc, rules("*.log", "d", "!d/*.md"))
    assert (list(kept.paths()), dropped) == (["Dockerfile", "d", "d/y.md", "keep"], 2)
    assert apply_ignore(toc, rules("other")) == (toc, 0)
    assert apply_ignore(toc, rules("*"))[1] == len(toc)


def test_links_to_an_ignored_file_live_on() -> None:
    got, context = received(stream([file("a", "text"), hardlink("b", "a"), hardlink("c", "a"), file("d", "")]))
    toc, dropped = apply_ignore(got.toc, rules("a"))
    assert dropped == 1
    [b, c, _] = toc
    assert (b.kind, b.size, c.kind, c.link) == ("file", 4, "hardlink", "b")
    assert b"".join(context.read(b)) == b"text"


_parts = st.sampled_from(["a", "b", "x.md", "node"])
_paths = st.lists(_parts, min_size=1, max_size=4).map("/".join)


@given(
    st.lists(_paths),
    st.lists(st.sampled_from(["a", "*/b", "**/x.md", "!a/x.md", "!**/b", "node", "!*", "*"]), max_size=4),
)
def test_the_same_is_ignored_in_a_stream_as_by_name(paths: list[str], lines: list[str]) -> None:
    whole = tree(dict.fromkeys(paths)).entries
    ignore = rules(*lines)
    kept, dropped = apply_ignore(whole, ignore)
    wanted = {path for path in whole.paths() if not ignore.is_ignored(path)}
    parents = {path for path in whole.paths() if any(other.startswith(path + "/") for other in wanted)}
    assert set(kept.paths()) == wanted | parents
    assert dropped == len(whole) - len(kept)


def test_control_files_are_read_through_links() -> None:
    context = trees.Tree(folder("docker"), file("docker/prod", "FROM x\n"), link("Dockerfile", "docker/prod"))
    assert control_file.read_control_file(context, "Dockerfile") == b"FROM x\n"
    assert control_file.read_control_file(context, ".dockerignore") is None
    with pytest.raises(ContextError, match="docker of the test is a directory and no regular file"):
        control_file.read_control_file(context, "docker")
    with pytest.raises(ContextError, match="Dockerfile of the test is larger than 3 bytes"):
        control_file.read_control_file(context, "Dockerfile", max_bytes=3)


def test_a_spool_that_is_too_short_or_missing(tmp_path: object) -> None:
    entry, _ = file("a", "text")
    entry = msgspec.structs.replace(entry, offset=0)
    spool = f"{tmp_path}/spool"
    with pytest.raises(StoreError, match="The spool of the context can't be opened: No such file"):
        list(TarContext(Toc.of([entry]), spool, origin="the context").read(entry))
    with open(spool, "wb") as file_object:
        file_object.write(b"te")
    with pytest.raises(StoreError, match="ends at byte 2, within the file a"):
        list(TarContext(Toc.of([entry]), spool, origin="the context").read(entry))


def test_only_files_have_contents() -> None:
    _, context = received(stream([folder("d"), link("l", "d")]))
    for path in ("d", "l"):
        entry = context.find(path)
        assert entry is not None
        with pytest.raises(ContextError, match=f"{path} of the context is no regular file"):
            list(context.read(entry))


def test_the_root_of_a_stream() -> None:
    _, context = received(stream([file("a", "x")]))
    root = context.find("")
    assert root is not None
    assert root.kind == "directory"
    assert [entry.path for entry in context.children("")] == ["a"]
    assert shown(context) == {"a": "x"}
