"""What the texts that name remote things mean."""

from __future__ import annotations

import pytest

from dockerception.dockerfile import instructions as ins
from dockerception.errors import UsageError
from dockerception.remotes.locations import FileLocation, GitLocation, parse

_HOST = "https://example.org/a/b.git"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("https://example.org/a.tar?x=1#part", FileLocation("https://example.org/a.tar?x=1")),
        ("HTTP://example.org/a", FileLocation("http://example.org/a")),
        (_HOST, GitLocation(remote=_HOST)),
        (f"{_HOST}#v1", GitLocation(remote=_HOST, ref="v1")),
        (f"{_HOST}#v1:docs/", GitLocation(remote=_HOST, ref="v1", subdir="docs")),
        (f"{_HOST}#:/docs/../x", GitLocation(remote=_HOST, subdir="x")),
        (f"{_HOST}#refs/pull/1/head", GitLocation(remote=_HOST, ref="refs/pull/1/head")),
        (f"{_HOST}?tag=v1&subdir=x", GitLocation(remote=_HOST, ref="v1", ref_kind="tag", subdir="x")),
        (f"{_HOST}?branch=b&submodules=0", GitLocation(remote=_HOST, ref="b", ref_kind="branch", has_submodules=False)),
        (f"{_HOST}?keep-git-dir", GitLocation(remote=_HOST, keeps_git_dir=True)),
        (f"{_HOST}?commit=0123abc#main", GitLocation(remote=_HOST, ref="main", checksum="0123abc")),
        (f"{_HOST}?tag=v1#refs/tags/v1:d", GitLocation(remote=_HOST, ref="v1", ref_kind="tag", subdir="d")),
        (f"{_HOST}?branch=refs/heads/b", GitLocation(remote=_HOST, ref="b", ref_kind="branch")),
        (f"{_HOST}?ref=b&subdir=d#b:d", GitLocation(remote=_HOST, ref="b", subdir="d")),
        ("git://example.org/x#r", GitLocation(remote="git://example.org/x", ref="r")),
        ("ssh://git@example.org:2222/x", GitLocation(remote="ssh://git@example.org:2222/x")),
        ("git@example.org:a/b.git#r:d", GitLocation(remote="git@example.org:a/b.git", ref="r", subdir="d")),
        ("dir/file", None),
        ("github.com/a/b", None),
        ("file:///etc/passwd", None),
    ],
)
def test_texts(text: str, expected: object) -> None:
    assert parse(text) == expected
    assert ins.is_remote(text) is (expected is not None)


def test_a_context_may_be_named_as_github_names_repositories() -> None:
    assert parse("github.com/a/b#r", is_context=True) == GitLocation(remote="https://github.com/a/b", ref="r")


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (f"{_HOST}#--upload-pack=x", "is no name that git knows"),
        (f"{_HOST}#a..b~1", "is no name that git knows"),
        (f"{_HOST}#main:../x", "outside the repository"),
        (f"{_HOST}?what=1", "“what” is unknown"),
        (f"{_HOST}?ref=a&branch=b", "“branch” says again"),
        (f"{_HOST}?ref=a#b", "“b” after # is not what the part after ? names"),
        (f"{_HOST}?tag=v1#v1", "“v1” after # is not what the part after ? names"),
        (f"{_HOST}?subdir=x#main:y", "“y” after # is not the directory that the part after ? names"),
        (f"{_HOST}?submodules=perhaps", "neither true nor false"),
        (f"{_HOST}?checksum=xyz", "no commit id"),
        ("https:///x.git", "names no host"),
    ],
)
def test_what_can_not_be(text: str, why: str) -> None:
    with pytest.raises(UsageError, match="can't be used") as caught:
        parse(text)
    assert why in caught.value.message


def test_messages_hold_no_password() -> None:
    with pytest.raises(UsageError) as caught:
        parse("https://me:secret@example.org/x.git#-x")
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("https://h/a/b.txt?q=1", "b.txt"),
        ("https://h/a/", "a"),
        ("https://h/", "__unnamed__"),
        ("https://h/a%20b", "a b"),
        ("https://h/x%2Fy", "y"),
    ],
)
def test_the_name_of_a_file(url: str, name: str) -> None:
    assert FileLocation(url).name == name
