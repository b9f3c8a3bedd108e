"""JSON and msgpack documents from elsewhere: what decoding them raises where they are none."""

from __future__ import annotations

from typing import Final

import msgspec

UNREADABLE: Final = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""msgspec raises the last two as they are: for text that is not UTF-8, and for a hundred thousand brackets."""
