"""What a layer holds of a list of entries: whole files, under all their names."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from dockerception.engines.embedded.changes import changed
from dockerception.oci.entry import FILE, HARDLINK, Entry


@st.composite
def lists(draw: st.DrawFn) -> tuple[list[Entry], set[str]]:
    """Files and hard links to them, and the paths of those that are unchanged."""
    files = draw(st.lists(st.sampled_from("abcd"), unique=True))
    links = draw(st.dictionaries(st.sampled_from("efgh"), st.sampled_from(files))) if files else {}
    entries = [Entry(path=path, kind=FILE) for path in files]
    entries += [Entry(path=path, kind=HARDLINK, link=target) for path, target in links.items()]
    return entries, draw(st.sets(st.sampled_from("abcdefgh")))


@given(lists())
def test_a_file_goes_with_all_its_names_or_with_none(given_: tuple[list[Entry], set[str]]) -> None:
    entries, unchanged = given_
    kept = {entry.path for entry in changed(entries, lambda entry: entry.path in unchanged)}
    names: dict[str, set[str]] = {}
    for entry in entries:
        names.setdefault(entry.link or entry.path, set()).add(entry.path)
    for group in names.values():
        assert group <= kept if group - unchanged else not group & kept
