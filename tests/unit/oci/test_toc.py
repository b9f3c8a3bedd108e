"""The packed list of entries against plain lists and dictionaries."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dockerception.errors import StoreError
from dockerception.oci.entry import Entry, parents
from dockerception.oci.toc import Toc, TocBuilder, directory

_parts = st.text("ab-.\x01é\udc80", min_size=1, max_size=3)
_paths = st.lists(_parts, min_size=1, max_size=4).map("/".join)


def _files(paths: list[str]) -> list[Entry]:
    return [Entry(path=path, kind="file", size=number) for number, path in enumerate(paths)]


def _sorted(paths: list[str]) -> list[str]:
    return sorted(set(paths), key=lambda path: [part.encode(errors="surrogateescape") for part in path.split("/")])


@given(st.lists(_paths))
def test_order_is_depth_first_and_the_last_of_equals_counts(paths: list[str]) -> None:
    toc = Toc.of(_files(paths))
    assert list(toc.paths()) == _sorted(paths)
    last = {path: number for number, path in enumerate(paths)}
    assert {entry.path: entry.size for entry in toc} == last
    assert len(toc) == len(last)
    assert toc.size == sum(last.values())


@given(st.lists(_paths), _paths)
def test_lookups(paths: list[str], other: str) -> None:
    toc = Toc.of(_files(paths))
    below = [path for path in _sorted(paths) if path.startswith(other + "/")]
    assert (other in toc) == (other in paths)
    assert toc.has_below(other) == bool(below)
    assert [entry.path for entry in toc.walk(other)] == ([other] if other in paths else []) + below
    assert [toc.path_at(index) for index in toc.span(other)] == [entry.path for entry in toc.walk(other)]
    assert [toc.path_at(index) for index in toc.span("")] == _sorted(paths)
    index = toc.index(other)
    assert (index is not None) == (other in paths)
    if index is not None:
        assert list(toc.paths())[index] == other


@given(st.lists(_paths), st.one_of(st.just(""), _paths))
def test_members_and_children(paths: list[str], top: str) -> None:
    toc = Toc.of(_files(paths))
    prefix = top + "/" if top else ""
    inside = [path[len(prefix) :] for path in paths if path.startswith(prefix)]
    members = _sorted([prefix + path.split("/")[0] for path in inside])
    assert [path for path, _ in toc.members(top)] == members
    assert [entry.path for entry in toc.children(top)] == [path for path in members if path in paths]
    assert all((entry is None) == (path not in paths) for path, entry in toc.members(top))


_full = st.builds(
    Entry,
    path=_paths,
    kind=st.sampled_from(["file", "directory", "symlink", "hardlink", "char", "block", "fifo", "whiteout"]),
    mode=st.integers(0, 0o7777),
    uid=st.integers(0, 2**32 - 1),
    gid=st.integers(0, 2**32 - 1),
    size=st.integers(0, 2**62),
    mtime=st.integers(-(2**62), 2**62),
    link=_paths,
    xattrs=st.lists(st.tuples(_parts, st.binary()), max_size=2).map(tuple),
    device=st.tuples(st.integers(0, 2**32 - 1), st.integers(0, 2**32 - 1)),
    digest=st.binary(max_size=32),
    offset=st.integers(-1, 2**62),
    is_opaque=st.booleans(),
)


@given(_full)
def test_nothing_of_an_entry_is_lost(entry: Entry) -> None:
    toc = Toc.decode(Toc.of([entry]).encode())
    assert list(toc) == [entry]
    assert toc.find(entry.path) == entry


def test_the_root_is_an_entry_but_no_child() -> None:
    toc = Toc.of([directory(""), directory("a"), directory("a/b")])
    assert [entry.path for entry in toc.walk("")] == ["", "a", "a/b"]
    assert [entry.path for entry in toc.children("")] == ["a"]


@pytest.mark.parametrize("data", [b"", b"\xc1", b"\x93\x01\x90", b"\x93\x02\x90\x90", b"\x93\x01\x91\xc4\x01a\x90"])
def test_damaged_data_is_an_error(data: bytes) -> None:
    with pytest.raises(StoreError, match=r"list of layer entries in the store (is damaged|has an unknown version)"):
        Toc.decode(data)


@given(st.lists(_paths, min_size=1), _paths)
def test_removing_takes_what_is_below_along(paths: list[str], gone: str) -> None:
    builder = TocBuilder()
    for entry in _files(paths):
        builder.add(entry)
    builder.remove(gone)
    assert list(builder.build().paths()) == [path for path in _sorted(paths) if gone not in (path, *parents(path))]
