"""The wildcards of COPY sources, against what Go's documentation says of ``filepath.Match`` and a plain reference."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dockerception.context import patterns
from dockerception.errors import ContextError


@pytest.mark.parametrize(
    ("pattern", "name", "is_match"),
    [
        ("", "", True),
        ("", "a", False),
        ("app.py", "app.py", True),
        ("app.py", "appxpy", False),
        ("*", "", True),
        ("*", "app.py", True),
        ("*", "src/app.py", False),
        ("*.py", "app.py", True),
        ("*.py", ".py", True),
        ("*.py", "app.pyc", False),
        ("a*/b", "abc/b", True),
        ("a*/b", "a/c/b", False),
        ("a*b*c*d*e*/f", "axbxcxdxe/f", True),
        ("a*b*c*d*e*/f", "axbxcxdxexxx/fff", False),
        ("**", "a/b", False),
        ("a**b", "axyb", True),
        ("home?", "home2", True),
        ("home?", "home", False),
        ("home?", "home/", False),
        ("a???b", "a☺☺☺b", True),
        ("ab[c]", "abc", True),
        ("ab[b-d]", "abc", True),
        ("ab[e-g]", "abc", False),
        ("ab[^c]", "abc", False),
        ("ab[^e-g]", "abc", True),
        ("[ace-g]x", "fx", True),
        ("[ace-g]x", "bx", False),
        ("[!a]", "!", True),
        ("[!a]", "b", False),
        ("[*?]", "*", True),
        ("[*?]", "x", False),
        ("[a^]", "^", True),
        (r"[\]a]", "]", True),
        (r"[\-x]", "-", True),
        (r"[x\-]", "z", False),
        (r"[\^a]", "^", True),
        ("[z-a]", "b", False),
        ("[^z-a]", "b", True),
        ("a[^b]c", "a/c", True),
        (r"arr\[0\].txt", "arr[0].txt", True),
        (r"a\*b", "a*b", True),
        (r"a\*b", "axb", False),
        (r"\d", "d", True),
        (r"\d", "1", False),
        ("a]", "a]", True),
        ("^a$", "^a$", True),
        ("(a|b)+.{2}", "(a|b)+.{2}", True),
        ("a\nb?", "a\nbc", True),
        ("a", "a\n", False),
        ("*", "caf\udce9", True),
        ("caf?", "caf\udce9", True),
        # what follows a star is placed at its first fit for good, so the second star would have to cross the slash
        ("*[^x]*b", "a/b", False),
        ("*[^x]b", "a/b", True),
    ],
)
def test_match(pattern: str, name: str, is_match: bool) -> None:
    assert patterns.match(pattern, name) is is_match


@pytest.mark.parametrize(
    ("pattern", "reason"),
    [
        ("a[", "character 2"),
        ("[]a]", "character 1"),
        ("[^]", "character 1"),
        ("[^]a]", "character 1"),
        ("[-]", "character 1"),
        ("[x-]", "character 1"),
        ("[-x]", "character 1"),
        ("[a-b-c]", "character 1"),
        ("[a", "character 1"),
        ("x*[^bc", "character 3"),
        ("[\\", "character 1"),
        ("[a\\]", "character 1"),
        ("[\udce9]", "character 1"),
        ("a\\", "ends in a backslash"),
    ],
)
def test_a_malformed_pattern_is_refused_whatever_the_name(pattern: str, reason: str) -> None:
    with pytest.raises(ContextError) as caught:
        patterns.match(pattern, "zzz")
    assert reason in caught.value.message
    shown = pattern.encode(errors="backslashreplace").decode()
    assert f"“{shown}”" in caught.value.message
    assert caught.value.hint


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("", False),
        ("app.py", False),
        ("*", True),
        ("a?b", True),
        ("a[b]", True),
        ("a]", False),
        (r"a\*b", False),
        (r"a\*b*", True),
        (r"a\[0]", False),
        (r"a\\*", True),
        ("a\\", False),
        ("a\nb*", True),
    ],
)
def test_has_wildcards(pattern: str, expected: bool) -> None:
    assert patterns.has_wildcards(pattern) is expected


def test_a_pattern_of_many_stars_is_decided() -> None:
    assert not patterns.match("*a" * 30 + "b", "a" * 255)
    assert patterns.match("*a" * 30 + "*b", "a" * 254 + "b")


def _matches(pattern: str, name: str) -> bool:
    """Every way to place every star; slow but obvious, for patterns without sets."""
    if not pattern:
        return not name
    if pattern[0] == "*":
        return _matches(pattern[1:], name) or (name[:1] not in ("", "/") and _matches(pattern, name[1:]))
    if pattern[0] == "\\":
        return name[:1] == pattern[1] and _matches(pattern[2:], name[1:])
    if pattern[0] == "?":
        return name[:1] not in ("", "/") and _matches(pattern[1:], name[1:])
    return name[:1] == pattern[0] and _matches(pattern[1:], name[1:])


@given(
    st.lists(st.sampled_from(["a", "b", ".", "/", "*", "?", r"\*", r"\a"]), max_size=8).map("".join),
    st.text("ab./*", max_size=8),
)
def test_match_agrees_with_the_reference(pattern: str, name: str) -> None:
    assert patterns.match(pattern, name) is _matches(pattern, name)


@given(st.text("ab/é*?[]\\^-", max_size=6))
def test_an_escaped_name_matches_itself_and_has_no_wildcards(name: str) -> None:
    pattern = "".join("\\" + char for char in name)
    assert patterns.match(pattern, name)
    assert not patterns.has_wildcards(pattern)
