"""The few files of a context that are read as text: the Dockerfile and the ignore file."""

from __future__ import annotations

from typing import Final

from ..errors import ContextError
from ..oci.entry import DIRECTORY, FILE, HARDLINK
from .base import Context
from .select import resolve

MAX_BYTES: Final = 1 << 20


def read_control_file(context: Context, path: str, *, max_bytes: int = MAX_BYTES) -> bytes | None:
    """A file of a context, links followed; None if there is none.

    Ask before ignore rules are applied: these files count even when they are ignored.  Raises ``ContextError`` for what
    is no regular file or is larger than ``max_bytes``.
    """
    entry = context.find(resolve(context, path))
    if entry is None:
        return None
    if entry.kind not in (FILE, HARDLINK):
        what = "directory" if entry.kind == DIRECTORY else entry.kind
        raise ContextError(f"{path} of {context.origin} is a {what} and no regular file.")
    data = bytearray()
    for chunk in context.read(entry):
        data += chunk
        if len(data) > max_bytes:
            raise ContextError(f"{path} of {context.origin} is larger than {max_bytes} bytes.")
    return bytes(data)
