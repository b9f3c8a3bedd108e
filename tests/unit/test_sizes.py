"""Sizes as people write them."""

from __future__ import annotations

import pytest

from dockerception import sizes
from dockerception.errors import UsageError


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0", 0),
        ("4096", 4096),
        ("500m", 500 << 20),
        ("2g", 2 << 30),
        ("2G", 2 << 30),
        ("2GB", 2 << 30),
        ("2GiB", 2 << 30),
        ("1.5k", 1536),
        ("10b", 10),
        (" 1t ", 1 << 40),
    ],
)
def test_size(text: str, expected: int) -> None:
    assert sizes.size(text) == expected


@pytest.mark.parametrize("text", ["", "m", "-1", "1x", "1 2", "ten", "1mm"])
def test_what_is_no_size(text: str) -> None:
    with pytest.raises(UsageError, match="is not a size"):
        sizes.size(text)


def test_a_cap_may_be_none() -> None:
    assert sizes.cap(" None") == sizes.UNLIMITED
    assert sizes.cap("1k") == 1024
