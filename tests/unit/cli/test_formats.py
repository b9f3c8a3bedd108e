"""Sizes, ages, tables and the summary's lines."""

from __future__ import annotations

import pytest

from dockerception.cli import formats
from dockerception.cli.summary import Made, Summary


@pytest.mark.parametrize(
    ("number", "expected"),
    [
        (0, "0B"),
        (999, "999B"),
        (1000, "1kB"),
        (13_345, "13.3kB"),
        (999_499, "999kB"),
        (999_500, "1MB"),
        (1_450_000_000, "1.45GB"),
        (3 * 10**15, "3PB"),
    ],
)
def test_size(number: int, expected: str) -> None:
    assert formats.size(number) == expected


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (0, "just now"),
        (1, "1 second ago"),
        (119, "119 seconds ago"),
        (120, "2 minutes ago"),
        (7200, "2 hours ago"),
        (13 * 86400, "13 days ago"),
        (14 * 86400, "2 weeks ago"),
        (60 * 86400, "2 months ago"),
        (800 * 86400, "2 years ago"),
    ],
)
def test_age(seconds: int, expected: str) -> None:
    assert formats.age(1_000_000_000 - seconds, 1_000_000_000) == expected


def test_no_age_without_a_time() -> None:
    assert formats.age(0, 1e9) == "N/A"


def test_table() -> None:
    assert formats.table(("A", "BB"), [("xxx", "y"), ("", "zzzz")]) == "A     BB\nxxx   y\n      zzzz"


def test_summary_of_one_image() -> None:
    summary = Summary(image="sha256:" + "1" * 64, size=10, familiar_names=("a:1", "b:2"), is_cached=True, seconds=0.012)
    assert summary.lines() == ["image  111111111111      10B  a:1, b:2", "Everything was cached (0.01s)."]


def test_summary_of_a_chain_compares_with_the_last_builder() -> None:
    builders = tuple(
        Made(level=level, key="", image=f"sha256:{level}" * 12, size=size, is_cached=False)
        for level, size in ((0, 9_000_000), (1, 3_000_000))
    )
    lines = Summary(builders=builders, image="sha256:" + "f" * 64, size=1_000_000, seconds=1).lines()
    assert [line.split()[:2] for line in lines[:2]] == [["builder", "0"], ["builder", "1"]]
    assert lines[3:] == ["The runtime image is 1/3 of its builder.", "Done in 1.00s."]


def test_summary_says_nothing_of_a_ratio_that_is_none() -> None:
    builder = Made(level=0, key="", image="", size=100, is_cached=False)
    assert len(Summary(builders=(builder,), image="sha256:1", size=100).lines()) == 3
    assert len(Summary(builders=(builder,), image="sha256:1", size=0).lines()) == 3
