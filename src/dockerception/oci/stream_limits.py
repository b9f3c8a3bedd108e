"""What a tar stream may ask of us, and which options change that."""

from __future__ import annotations

from typing import Final

import msgspec

DEFAULT_ENTRIES: Final = 2_000_000


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """What a stream may ask of us.

    ``max_bytes`` counts file contents with holes filled in; 0 is no limit, as it is of ``max_entries``.
    ``max_metadata`` is for all names, link targets and extended attributes together, in bytes: they are kept in memory.
    The options are what an error tells to raise.
    """

    max_entries: int = DEFAULT_ENTRIES
    max_path: int = 4095
    max_metadata: int = 1 << 28
    max_bytes: int = 0
    bytes_option: str = ""
    entries_option: str = ""


def of_contexts(max_bytes: int, max_entries: int) -> Limits:
    """The limits of contexts, as ``--max-context`` and ``--max-entries`` say them."""
    return Limits(
        max_bytes=max_bytes, bytes_option="--max-context", max_entries=max_entries, entries_option="--max-entries"
    )
