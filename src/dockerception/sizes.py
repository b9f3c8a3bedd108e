"""Sizes in bytes, as people write them in options, variables and the config file."""

from __future__ import annotations

import re
from typing import Final

from .errors import UsageError

UNLIMITED: Final = 1 << 62
"""More than any disk has; what ``none`` stands for where a size is a cap."""

_SIZE: Final = re.compile(r"(\d+(?:\.\d+)?)\s*([kmgtp]?)(?:i?b)?", re.IGNORECASE)
_UNITS: Final = {"": 0, "k": 1, "m": 2, "g": 3, "t": 4, "p": 5}


def size(text: str) -> int:
    """A size in bytes: ``500m``, ``2g``, ``1.5GiB``, ``4096``.  Units are powers of 1024, as in Docker's options."""
    found = _SIZE.fullmatch(text.strip())
    if not found:
        raise UsageError(f"“{text}” is not a size.", hint="write it as a number and a unit: 500m, 2g, or bytes")
    number = float(found[1]) * 1024 ** _UNITS[found[2].lower()]
    if number > UNLIMITED:
        raise UsageError(f"“{text}” is more than any disk has.", hint="write none, or 0, where you want no limit")
    return int(number)


def cap(text: str) -> int:
    """A size that is not to be passed, or ``none``."""
    return UNLIMITED if text.strip().lower() == "none" else size(text)
