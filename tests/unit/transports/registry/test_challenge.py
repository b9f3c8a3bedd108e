"""WWW-Authenticate headers, sound and not."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dockerception.transports.registry.challenge import Challenge, parse


@pytest.mark.parametrize(
    ("header", "challenges"),
    [
        ("", []),
        ("Basic", [Challenge("basic", {})]),
        ('Basic realm="x"', [Challenge("basic", {"realm": "x"})]),
        ("basic Realm=x", [Challenge("basic", {"realm": "x"})]),
        (
            'Bearer realm="https://auth.example/token",service="registry",scope="repository:a/b:pull,push"',
            [
                Challenge(
                    "bearer",
                    {
                        "realm": "https://auth.example/token",
                        "service": "registry",
                        "scope": "repository:a/b:pull,push",
                    },
                )
            ],
        ),
        ('Bearer realm = "a" , error="invalid_token"', [Challenge("bearer", {"realm": "a", "error": "invalid_token"})]),
        (r'Basic realm="a \"b\" \\c"', [Challenge("basic", {"realm": 'a "b" \\c'})]),
        (
            'Negotiate, Basic realm="x", Bearer realm="y"',
            [Challenge("negotiate", {}), Challenge("basic", {"realm": "x"}), Challenge("bearer", {"realm": "y"})],
        ),
        ("Negotiate abc123==, Basic realm=x", [Challenge("negotiate", {}), Challenge("basic", {"realm": "x"})]),
        ('Basic realm="never closed', [Challenge("basic", {})]),
        ("=,;", []),
    ],
)
def test_headers(header: str, challenges: list[Challenge]) -> None:
    assert parse(header) == challenges


@given(st.text(alphabet='Bearsic realm="\\,=x ;'))
def test_any_header_has_an_end(header: str) -> None:
    assert isinstance(parse(header), list)


@given(st.text(alphabet=st.characters(min_codepoint=32, max_codepoint=126)))
def test_quoted_values_come_back(value: str) -> None:
    quoted = value.replace("\\", "\\\\").replace('"', '\\"')
    assert parse(f'Bearer realm="{quoted}"') == [Challenge("bearer", {"realm": value})]
