"""When a failed request is tried again, and after how long."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Mapping
from email.utils import parsedate_to_datetime
from typing import Final

import msgspec

RETRIED: Final = frozenset({408, 429, 500, 502, 503, 504})
"""Statuses that say “not now” rather than “not so” (RFC 9110, section 15; 429: RFC 6585)."""


class Policy(msgspec.Struct, frozen=True, kw_only=True):
    """How often and how patiently.

    At most ``attempts`` tries.  Waiting grows from ``base`` seconds by doubling up to ``ceiling``, and is a random part
    of that, so that many machines do not come back at the same moment.  A server's ``Retry-After`` is waited for
    instead, if it is not longer than ``patience`` seconds; else there is no further try.
    """

    attempts: int = 5
    base: float = 0.25
    ceiling: float = 15.0
    patience: float = 120.0
    sleep: Callable[[float], None] = time.sleep
    jitter: Callable[[], float] = random.random
    now: Callable[[], float] = time.time

    def delay(self, tried: int, headers: Mapping[str, str] | None = None) -> float | None:
        """Seconds to wait after ``tried`` failed tries; None to give up.  ``headers`` are the failed answer's."""
        if tried >= self.attempts:
            return None
        asked = retry_after((headers or {}).get("retry-after", ""), self.now())
        if asked is not None:
            return asked if asked <= self.patience else None
        bound = min(self.ceiling, self.base * 2.0 ** (tried - 1))
        return bound * (0.5 + self.jitter() / 2)


def retry_after(value: str, now: float) -> float | None:
    """Seconds that a ``Retry-After`` header asks for: a number, or a date (RFC 9110, 10.2.3); None if it is neither."""
    value = value.strip()
    if value.isascii() and value.isdigit():
        return float(value)
    if not value:
        return None
    try:
        return max(0.0, parsedate_to_datetime(value).timestamp() - now)
    except (ValueError, OverflowError):  # a year of twenty digits
        return None
