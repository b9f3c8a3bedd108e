"""Sizes, times and tables, as Docker's commands print them."""

from __future__ import annotations

from collections.abc import Sequence

_SIZE_UNITS = ("B", "kB", "MB", "GB", "TB", "PB")
_AGES = (
    ("year", 2 * 365 * 86400, 365 * 86400),
    ("month", 60 * 86400, 30 * 86400),
    ("week", 14 * 86400, 7 * 86400),
    ("day", 2 * 86400, 86400),
    ("hour", 2 * 3600, 3600),
    ("minute", 120, 60),
    ("second", 1, 1),
)
_SHORT_ID = 12


def size(number: int) -> str:
    """Bytes with three digits and a decimal unit: ``0B``, ``13.3kB``, ``1.45GB``."""
    value, unit = float(number), 0
    while value >= 999.5 and unit < len(_SIZE_UNITS) - 1:
        value /= 1000
        unit += 1
    return f"{value:.3g}{_SIZE_UNITS[unit]}"


def seconds(number: float) -> str:
    """A time span: ``0.4s``, ``75.0s``."""
    return f"{number:.1f}s"


def age(then: int, now: float) -> str:
    """How long ago a time in seconds was: ``3 days ago``; ``N/A`` for none."""
    if then <= 0:
        return "N/A"
    span = int(now - then)
    for name, least, unit in _AGES:
        if span >= least:
            count = span // unit
            return f"{count} {name}{'' if count == 1 else 's'} ago"
    return "just now"


def short(digest: str) -> str:
    """The first twelve digits of a digest."""
    return digest.partition(":")[2][:_SHORT_ID]


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Columns, three blanks apart."""
    lines = [header, *rows]
    widths = [max(len(line[column]) for line in lines) for column in range(len(header))]
    return "\n".join(
        "   ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines
    )


def shortened(text: str, width: int) -> str:
    """At most ``width`` characters, an ellipsis in place of what is cut off."""
    return text if len(text) <= width else text[: width - 1] + "…"
