"""What COPY and ADD make of a context and of what is there already."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dockerception.context.base import Context
from dockerception.errors import ContextError
from dockerception.oci.entry import Entry
from dockerception.oci.toc import Toc
from unit.context.trees import Tree, file, folder, hardlink, link, tree
from unit.engines.copies import DEFAULT_TIME, copied, names

CONTEXT = Tree(
    file("app", "the app", mode=0o755, mtime=10, uid=5),
    folder("dir", mode=0o700, mtime=20, gid=6),
    file("dir/one", "1", mtime=30),
    folder("dir/sub"),
    file("dir/sub/two", "2", mtime=40),
    link("dir/rel", "one"),
    link("to-app", "app"),
    link("to-dir", "/dir"),
)
BELOW = Tree(
    folder("usr"),
    folder("usr/bin", mode=0o711, uid=3),
    file("usr/bin/tool", "old"),
    link("bin", "usr/bin"),
    link("opt", "/nowhere/yet"),
    link("tool", "usr/bin/tool"),
    folder("srv", mode=0o750),
    folder("srv/app"),
    link("loop", "loop"),
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("COPY app /", ["app"]),
        ("COPY app /x", ["x"]),
        ("COPY app /a/b/x", ["a/", "a/b/", "a/b/x"]),
        ("COPY app /a/b/", ["a/", "a/b/", "a/b/app"]),
        ("COPY app .", ["app"]),
        ("COPY app /bin/app", ["usr/bin/app"]),
        ("COPY app /bin", ["usr/bin/app"]),
        ("COPY app /bin/", ["usr/bin/app"]),
        ("COPY app /usr/bin/tool", ["usr/bin/tool"]),
        ("COPY app /tool", ["usr/bin/tool"]),
        ("COPY app /opt/app", ["nowhere/", "nowhere/yet/", "nowhere/yet/app"]),
        ("COPY app /../../x", ["x"]),
        ("COPY to-app /", ["to-app"]),
        ("COPY dir /", ["one", "rel -> one", "sub/", "sub/two"]),
        ("COPY dir /d", ["d/", "d/one", "d/rel -> one", "d/sub/", "d/sub/two"]),
        ("COPY dir/ /d/", ["d/", "d/one", "d/rel -> one", "d/sub/", "d/sub/two"]),
        ("COPY to-dir /d", ["d/", "d/one", "d/rel -> one", "d/sub/", "d/sub/two"]),
        ("COPY dir /srv", ["srv/one", "srv/rel -> one", "srv/sub/", "srv/sub/two"]),
        ("COPY dir/* /d/", ["d/", "d/one", "d/rel", "d/two"]),
        ("COPY no* /d/", []),
        ("COPY . /d", ["d/", "d/app", "d/dir/", "d/dir/one", "d/dir/rel -> one", "d/dir/sub/", "d/dir/sub/two",
            "d/to-app -> app", "d/to-dir -> /dir"]),
        ("COPY app dir /d/", ["d/", "d/app", "d/one", "d/rel -> one", "d/sub/", "d/sub/two"]),
        ("COPY --exclude=*.x --exclude=sub dir /d", ["d/", "d/one", "d/rel -> one"]),
        ("COPY --exclude=sub/** dir /d", ["d/", "d/one", "d/rel -> one", "d/sub/"]),
        ("COPY --exclude=app app /d/", []),
    ],
)  # fmt: skip
def test_where_things_go(text: str, expected: list[str]) -> None:
    toc, _ = copied(text, CONTEXT, BELOW)
    assert names(toc) == expected


def test_a_relative_destination() -> None:
    toc, contents = copied("COPY app x", CONTEXT, working_dir="/w/d")
    assert names(toc) == ["w/", "w/d/", "w/d/x"]
    assert contents == {"w/d/x": b"the app"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("COPY missing /", "“missing” is not in the test"),
        ("COPY app /usr/bin/tool/x", "can't be made a directory: it is a file"),
        ("COPY dir /usr/bin/tool", "can't be made a directory"),
        ("COPY app /loop/x", "go round in circles"),
        ("COPY dir /srv/app/../../tool", "can't be made a directory"),
    ],
)
def test_what_can_not_be(text: str, message: str) -> None:
    with pytest.raises(ContextError, match=message):
        copied(text, CONTEXT, BELOW)


def test_a_file_does_not_take_a_directory_s_place() -> None:
    below = Tree(folder("one"))
    with pytest.raises(ContextError, match="there is a directory of that name"):
        copied("COPY dir /", CONTEXT, below)
    with pytest.raises(ContextError, match="is a file in the image"):
        copied("COPY dir /", CONTEXT, Tree(file("sub")))


def test_a_link_is_replaced_by_a_file_of_a_directory() -> None:
    toc, _ = copied("COPY dir /", CONTEXT, Tree(link("one", "elsewhere")))
    assert "one" in names(toc)


def test_owners_and_modes_and_times() -> None:
    toc, _ = copied("COPY app dir /new/", CONTEXT)
    found = {entry.path: (entry.mode, entry.uid, entry.gid, entry.mtime) for entry in toc}
    assert found["new/app"] == (0o755, 0, 0, 10)
    assert found["new/one"] == (0o644, 0, 0, 30)
    assert found["new"] == (0o755, 0, 0, 40), "a directory that the copy makes is as new as what came into it"


def test_owners_are_kept_where_the_context_keeps_them() -> None:
    kept = Tree(*_items(CONTEXT), keeps_owners=True)
    toc, _ = copied("COPY app /", kept)
    assert [(entry.uid, entry.gid) for entry in toc] == [(5, 0)]


def test_chown_is_for_everything_new() -> None:
    toc, _ = copied("COPY --chown=1:2 app dir /new/", CONTEXT, owner=(1, 2))
    assert {(entry.uid, entry.gid) for entry in toc} == {(1, 2)}


def test_chmod_is_for_files_and_directories_that_are_copied() -> None:
    toc, _ = copied("COPY --chmod=u=rwX,go= dir /new/d/", CONTEXT)
    found = {entry.path: oct(entry.mode) for entry in toc}
    assert found["new/d/one"] == "0o600"
    assert found["new/d/sub"] == "0o700"
    assert found["new/d/rel"] == "0o777"
    assert found["new"] == "0o755"


def test_an_empty_directory_gets_the_default_time() -> None:
    toc, _ = copied("COPY empty /new/", Tree(folder("empty")))
    assert [(entry.path, entry.mtime) for entry in toc] == [("new", DEFAULT_TIME)]


def test_existing_directories_keep_what_they_are_unless_the_copy_has_them() -> None:
    below = Tree(folder("d", mode=0o700, uid=9), folder("d/sub", mode=0o700))
    toc, _ = copied("COPY dir /d", CONTEXT, below)
    assert toc.find("d") is None
    found = toc.find("d/sub")
    assert found is not None
    assert (found.mode, found.uid) == (0o755, 0)


def test_what_is_there_already_is_left_out() -> None:
    below = Tree(file("app", "the app", mode=0o755, mtime=10))
    assert names(copied("COPY app /", CONTEXT, below)[0]) == []
    for other in (
        file("app", "the app", mode=0o755, mtime=11),
        file("app", "the app", mode=0o755, mtime=10, uid=1),
        file("app", "the apP", mode=0o755, mtime=10),
    ):
        assert names(copied("COPY app /", CONTEXT, Tree(other))[0]) == ["app"]


def test_hard_links_inside_a_directory_stay_links() -> None:
    context = Tree(folder("d"), file("d/a", "1"), hardlink("d/b", "d/a"), file("x"), hardlink("d/c", "x"))
    toc, contents = copied("COPY d /t", context)
    assert names(toc) == ["t/", "t/a", "t/b == t/a", "t/c"]
    assert contents == {"t/a": b"1", "t/c": b""}


def test_hard_links_of_two_sources_are_two_files() -> None:
    context = Tree(file("a", "1"), hardlink("b", "a"))
    toc, contents = copied("COPY a b /t/", context)
    assert names(toc) == ["t/", "t/a", "t/b"]
    assert contents == {"t/a": b"1", "t/b": b"1"}


def test_an_unchanged_hard_link_to_a_changed_file_is_copied_again() -> None:
    below = Tree(folder("t"), file("t/a", "old"), hardlink("t/b", "t/a"))
    context = Tree(folder("d"), file("d/a", "new"), hardlink("d/b", "d/a"))
    assert names(copied("COPY d /t", context, below)[0]) == ["t/a", "t/b == t/a"]


def test_an_excluded_target_makes_the_link_a_file() -> None:
    context = Tree(folder("d"), file("d/a", "1"), hardlink("d/b", "d/a"))
    toc, contents = copied("COPY --exclude=a d /t", context)
    assert names(toc) == ["t/", "t/b"]
    assert contents == {"t/b": b"1"}


@pytest.mark.parametrize("kind", ["fifo", "char", "block"])
@pytest.mark.parametrize("keeps_owners", [False, True])
def test_special_files_are_copied_from_everywhere(kind: str, keeps_owners: bool) -> None:
    entry = Entry(path="d/x", kind=kind, device=(1, 3))  # type: ignore[arg-type]
    toc, _ = copied("COPY d /t", Tree(folder("d"), (entry, b""), keeps_owners=keeps_owners))
    assert [(one.path, one.kind, one.device) for one in toc] == [("t", "directory", (0, 0)), ("t/x", kind, (1, 3))]


def test_add_unpacks_where_the_file_is_an_archive() -> None:
    archive = Tree(folder("etc", mode=0o700, uid=4), file("etc/x", "x", uid=4, mtime=3), hardlink("y", "etc/x"))

    def unpack(context: Context, entry: Entry) -> Context | None:
        return archive if entry.path == "a.tar" else None

    toc, contents = copied(
        "ADD a.tar plain /t/", Tree(file("a.tar", "…"), file("plain", "p")), Tree(folder("t")), unpack=unpack
    )
    assert names(toc) == ["t/etc/", "t/etc/x", "t/plain", "t/y == t/etc/x"]
    assert [entry.uid for entry in toc] == [4, 4, 0, 4]
    assert contents == {"t/etc/x": b"x", "t/plain": b"p"}


def test_an_archive_stays_below_its_destination() -> None:
    archive = Tree(link("out", "/"), link("up", "../.."), file("out/a", "a"), file("up/b", "b"))
    toc, _ = copied("ADD a.tar /t/", Tree(file("a.tar")), unpack=lambda context, entry: archive)
    assert [name for name in names(toc) if not name.startswith("t/")] == []


def test_an_archive_takes_what_is_in_its_way() -> None:
    below = Tree(folder("t"), file("t/d", "a file"), folder("t/f"), file("t/f/inside"), link("t/l", "d"))
    archive = Tree(folder("d"), file("d/x"), file("f", "now a file"), file("l", "no link"))
    toc, contents = copied("ADD a.tar /t/", Tree(file("a.tar")), below, unpack=lambda context, entry: archive)
    assert names(toc) == ["t/d/", "t/d/x", "t/f", "t/l"]
    assert contents["t/f"] == b"now a file"


_NAMES = st.sampled_from(["a", "b", "c", "a b", "ä", "\udcff"])
_PATHS = st.lists(_NAMES, min_size=1, max_size=3).map("/".join)


@st.composite
def trees(draw: st.DrawFn) -> Tree:
    """Any small tree: no path is both a file and a directory."""
    paths = draw(st.dictionaries(_PATHS, st.none() | st.text("xy", max_size=3), max_size=6))
    kept: dict[str, str | None] = {}
    for path, text in paths.items():
        above = ["/".join(path.split("/")[:count]) for count in range(1, path.count("/") + 1)]
        is_used = any(other.startswith(f"{path}/") for other in kept)
        if not any(kept.get(one) is not None for one in above) and not (is_used and text is not None):
            kept[path] = text
    return tree(kept)


def _items(of: Tree) -> list[tuple[Entry, bytes]]:
    return [(entry, of.contents.get(entry.path, b"")) for entry in of.entries]


@given(trees())
def test_copying_all_gives_the_same_tree(context: Tree) -> None:
    toc, contents = copied("COPY . /", context)
    assert list(toc) == list(context.entries)
    assert contents == {entry.path: context.contents[entry.path] for entry in context.entries if entry.kind == "file"}


@given(trees(), trees())
def test_copying_again_changes_nothing(context: Tree, below: Tree) -> None:
    try:
        first, contents = copied("COPY . /t/", context, below)
    except ContextError:
        return  # a file where a directory is, or the other way round
    merged = {entry.path: (entry, below.contents.get(entry.path, b"")) for entry in below.entries}
    merged |= {entry.path: (entry, contents.get(entry.path, b"")) for entry in first}
    again, _ = copied("COPY . /t/", context, Tree(*merged.values()))
    assert names(again) == []


@given(trees())
def test_a_layer_has_a_parent_for_every_entry(context: Tree) -> None:
    toc, _ = copied("COPY . /made/for/it/", context)
    assert all("/" not in path or path.rpartition("/")[0] in toc for path in toc.paths())
    assert isinstance(toc, Toc)


LINKED = Tree(folder("d"), hardlink("d/a", "d/z"), hardlink("d/b", "d/z"), file("d/z", "1"))
"""A hard link may come before its file: what a tar has later sorts first here."""


def test_the_first_name_of_a_file_is_the_file() -> None:
    toc, contents = copied("COPY d /t", LINKED)
    assert names(toc) == ["t/", "t/a", "t/b == t/a", "t/z == t/a"]
    assert contents == {"t/a": b"1"}


def test_the_first_name_of_a_file_of_an_archive_is_the_file() -> None:
    below = Tree(folder("t"), folder("t/zz"), link("t/d", "zz"))
    archive = Tree(folder("c"), hardlink("c/a", "d/z"), folder("d"), file("d/z", "1"), hardlink("d/zz", "d/z"))
    toc, contents = copied("ADD a.tar /t/", Tree(file("a.tar")), below, unpack=lambda context, entry: archive)
    assert names(toc) == ["t/c/", "t/c/a", "t/d/", "t/d/z == t/c/a", "t/d/zz == t/c/a"]
    assert contents == {"t/c/a": b"1"}


def test_other_names_of_a_file_that_is_replaced_keep_its_contents() -> None:
    context = Tree(
        folder("d"), file("d/a", "1"), hardlink("d/b", "d/a"), hardlink("d/c", "d/a"), folder("e"), file("e/a", "2")
    )
    toc, contents = copied("COPY d/ e/ /t/", context)
    assert names(toc) == ["t/", "t/a", "t/b", "t/c == t/b"]
    assert contents == {"t/a": b"2", "t/b": b"1"}


def test_other_names_of_a_file_of_an_archive_that_a_directory_replaces_keep_its_contents() -> None:
    archives = {
        "1.tar": Tree(file("a", "1"), hardlink("b", "a")),
        "2.tar": Tree(folder("a"), file("a/inside", "2")),
    }
    context = Tree(file("1.tar"), file("2.tar"))
    toc, contents = copied("ADD 1.tar 2.tar /t/", context, unpack=lambda context, entry: archives[entry.path])
    assert names(toc) == ["t/", "t/a/", "t/a/inside", "t/b"]
    assert contents == {"t/a/inside": b"2", "t/b": b"1"}
