"""Comma-separated attributes, as options of several engines have them."""

from __future__ import annotations

from ..errors import UsageError


def fields(text: str, what: str) -> list[str]:
    """The comma-separated values (RFC 4180) of an option; ``what`` is what messages call it."""
    if '"' not in text:
        return text.split(",")
    import csv

    try:
        rows = list(csv.reader([text], strict=True))
    except csv.Error as error:
        raise UsageError(f"The {what} “{text}” is not comma-separated values: {error}.") from error
    return rows[0] if rows else [text]
