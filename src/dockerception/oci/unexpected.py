"""Bytes that should not be where they are: the error for them, and how they are shown to a person."""

from __future__ import annotations

import re
from typing import Final

from ..errors import StreamError

_TEXT: Final = re.compile(rb"[^\0-\x1f\x7f]{3,}")
_COLOUR: Final = re.compile(rb"\x1b\[[0-9;]*[a-zA-Z]")


class UnexpectedBytesError(StreamError):
    """Where a header, a member or the end of an archive should be, there is something else."""


def found(data: bytes) -> str:
    """What to say about such bytes: their first line of text, else the bytes themselves."""
    for line in _TEXT.findall(_COLOUR.sub(b"", data)):
        shown = line.decode(errors="replace").strip()
        if shown.isprintable() and "\ufffd" not in shown and len(shown) >= 3:
            return f"(found the text “{shown[:80]}”)"
    return f"(found the bytes {data[:8].hex(' ')})"
