"""A layer tar's entries as a toc: whiteout names given their meaning (image-spec layer.md, "Whiteouts")."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import msgspec

from ..errors import ImageError
from .entry import DIRECTORY, FILE, WHITEOUT, Entry, join, name, parent
from .tarreader import TarReader
from .tarwriter import OPAQUE_NAME, WHITEOUT_PREFIX
from .toc import Toc, TocBuilder

_AUFS_PREFIX: Final = ".wh..wh."


def read_layer(reader: TarReader, hash_contents: Callable[[TarReader], bytes]) -> Toc:
    """The toc of a layer tar; ``hash_contents`` gives the SHA-256 of the reader's current file.

    Raises ``ImageError`` for entries that no layer may have, ``StreamError`` for a broken tar.
    """
    builder = TocBuilder()
    opaque: set[str] = set()
    removed: dict[str, Entry] = {}
    for entry in reader:
        base = name(entry.path)
        if base == OPAQUE_NAME:
            opaque.add(parent(entry.path))
        elif base.startswith(_AUFS_PREFIX):
            continue  # bookkeeping of the aufs driver that old Dockers exported; not content
        elif base.startswith(WHITEOUT_PREFIX):
            whiteout = _whiteout(entry)
            removed[whiteout.path] = whiteout
        elif entry.kind == FILE:
            builder.add(msgspec.structs.replace(entry, digest=hash_contents(reader)))
        else:
            builder.add(entry)
    for path, whiteout in removed.items():
        # A layer may remove a path and make it anew: only a directory would otherwise mix with what was there.
        found = builder.find(path)
        if found is None:
            builder.add(whiteout)
        elif found.kind == DIRECTORY:
            opaque.add(path)
    for path in opaque:
        found = builder.find(path) or Entry(path=path, kind=DIRECTORY, mode=0o755)
        builder.add(msgspec.structs.replace(found, is_opaque=True))
    return builder.build()


def _whiteout(entry: Entry) -> Entry:
    removed = name(entry.path).removeprefix(WHITEOUT_PREFIX)
    if removed in ("", ".", ".."):
        raise ImageError(f"A layer has a whiteout for “{removed}” in “{parent(entry.path)}”, which is no file name.")
    return Entry(path=join(parent(entry.path), removed), kind=WHITEOUT, mtime=entry.mtime)
