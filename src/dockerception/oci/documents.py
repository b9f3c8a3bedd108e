"""JSON and msgpack documents from elsewhere: what decoding them raises where they are none."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, TypeVar

import msgspec

_T = TypeVar("_T")

UNREADABLE: Final = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""msgspec raises the last two as they are: for text that is not UTF-8, and for a hundred thousand brackets."""


def recorded(decode: Callable[[bytes], _T], value: bytes | None) -> _T | None:
    """What a record of the store says; None where there is none, or a disk has damaged it: then it is a miss."""
    if value is None:
        return None
    try:
        return decode(value)
    except UNREADABLE:
        return None
