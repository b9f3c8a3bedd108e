"""Globs of many stars: matching in steps gives what one regular expression gives, in time that does not grow so."""

from __future__ import annotations

import re

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from dockerception.context import ignore, ignore_globs, ignore_steps
from dockerception.errors import ContextError

_PIECES = ["*", "**", "**/", "?", "[", "]", "a", "b", "/", "^", "-", "\\*", "[ab]", "[^a]", "[[:alpha:]]", "a*", "*a"]
_FLAGS = re.DOTALL | re.ASCII


@settings(max_examples=400, deadline=None)
@given(st.lists(st.sampled_from(_PIECES), max_size=9).map("".join), st.text("ab/-^[\n", max_size=9))
def test_steps_match_what_the_expression_matches(glob: str, path: str) -> None:
    try:
        ignore_globs.check(glob)
    except ContextError:
        assume(False)
    parts = ignore_globs.parts_of(glob)
    assume(not any(part.text in ("[]", "[^]") for part in parts))  # such a glob is matched by its expression
    expression = re.compile("".join(part.text for part in parts), _FLAGS)
    assert ignore_steps.steps(parts, _FLAGS).matches(path) == (expression.fullmatch(path) is not None)


@pytest.mark.parametrize(
    ("line", "path", "is_ignored"),
    [
        ("**/a/" * 30 + "z", "a/" * 100 + "z", True),
        ("**/a/" * 30 + "z", "a/" * 100 + "b", False),
        ("[a]*" * 30 + "z", "a" * 200, False),
        ("x/**/" + "[a]*" * 30 + "z", "x/y/" + "a" * 200 + "z", True),
        ("a**" * 30 + "z", "a" * 200 + "z", False),  # patternmatcher's "**" ends at a slash or at the end
        ("a**/" * 30 + "z", "a/" * 100 + "z", True),
    ],
)
def test_many_stars(line: str, path: str, is_ignored: bool) -> None:
    assert ignore.compile(ignore.read(line.encode())).is_ignored(path) is is_ignored


def test_a_set_that_would_swallow_what_follows_is_refused_where_it_would_be_slow() -> None:
    with pytest.raises(ContextError, match=r"line 1: .* has an empty set among its stars"):
        ignore.compile(ignore.read(b"[?[]**/[ab]**a*a**/x\n"))
