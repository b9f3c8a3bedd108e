"""Ignore files: how their lines are read, and which are refused."""

from __future__ import annotations

import pytest

from dockerception.context import ignore
from dockerception.context.ignore import Pattern
from dockerception.errors import ContextError


@pytest.mark.parametrize(
    ("line", "text"),
    [
        ("a", "a"),
        ("  a\t", "a"),
        ("a\r", "a"),
        ("\u00a0a\u3000", "a"),
        ("\x1fa", "\x1fa"),
        ("/a/b", "a/b"),
        ("//a", "a"),
        ("./a", "a"),
        ("a/", "a"),
        ("a//b/./c/../d", "a/b/d"),
        ("../a", "../a"),
        ("/../a", "a"),
        (".", "."),
        ("/", "/"),
        ("!a", "!a"),
        ("! /a/", "!a"),
        ("!./a", "!a"),
        ("!", "!"),
        ("!!a", "!!a"),
        (" # a", "# a"),
        (r"\#a", r"\#a"),
        ("**/", "**"),
    ],
)
def test_a_line_is_trimmed_and_cleaned(line: str, text: str) -> None:
    assert ignore.read(line.encode()) == (Pattern(text, 1),)


def test_comments_and_empty_lines_are_skipped_and_lines_are_counted() -> None:
    data = b"\xef\xbb\xbf# first\n\na\n   \n#b\n!c\x0b\r\n"
    assert ignore.read(data, "web.dockerignore") == (
        Pattern("a", 3, "web.dockerignore"),
        Pattern("!c", 6, "web.dockerignore"),
    )


def test_a_byte_order_mark_is_only_dropped_at_the_start() -> None:
    assert [pattern.text for pattern in ignore.read("\ufeffa\n\ufeffb".encode())] == ["a", "\ufeffb"]


def test_an_empty_file_ignores_nothing() -> None:
    assert ignore.read(b"") == ()
    assert not ignore.compile(()).is_ignored("a/b")


def test_names_that_are_not_utf8_are_matched_as_bytes() -> None:
    found = ignore.compile(ignore.read(b"caf\xe9\n*.\xff\n"))
    assert found.is_ignored("caf\udce9/menu")
    assert found.is_ignored("x.\udcff")
    assert not found.is_ignored("café")


def test_utf16_is_refused() -> None:
    with pytest.raises(ContextError, match=r"^\.dockerignore, line 1: ") as caught:
        ignore.read("node_modules\n".encode("utf-16"))
    assert "UTF-8" in caught.value.hint


@pytest.mark.parametrize(
    "line",
    [
        "a[",
        "[]",
        "[a-]",
        "x/[^]",
        "a\\",
        "![",
        "!",
        "! ",
        "!/",
        "[b-a]",
        "[[:foo:]]",
        "[[:^digit:]]",
        r"\b",
        r"\é",
        r"\1",
    ],
)
def test_a_bad_pattern_names_file_and_line(line: str) -> None:
    patterns = ignore.read(f"# rules\nok\n{line}\n".encode(), "web.dockerignore")
    with pytest.raises(ContextError) as caught:
        ignore.compile(patterns)
    assert caught.value.message.startswith("web.dockerignore, line 3: “")
    assert caught.value.hint


def test_a_pattern_from_elsewhere_names_its_source() -> None:
    with pytest.raises(ContextError, match=r"^--exclude: “\[” is not a valid pattern"):
        ignore.compile([Pattern("[", source="--exclude")])
