"""Directories of the trees below a layer: what a directory that the layer only implies should look like."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Final

from . import marks

_OPEN: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


class Below:
    """Trees, the top one first, opened before the worker changes its root."""

    def __init__(self, trees: Sequence[str]) -> None:
        self._roots = [os.open(tree, _OPEN) for tree in trees]

    def open(self, path: str) -> int | None:
        """Open the topmost directory ``path``, for its attributes; None where a merged view shows none there."""
        for root in self._roots:
            found, is_hidden = _find(root, path)
            if found is not None or is_hidden:
                return found
        return None


def _find(root: int, path: str) -> tuple[int | None, bool]:
    """The directory in this tree, and whether this tree hides what lies below it there."""
    current = os.dup(root)
    is_hidden = False
    try:
        for part in filter(None, path.split("/")):
            try:
                following = os.open(part, _OPEN, dir_fd=current)
            except FileNotFoundError:
                return None, is_hidden or marks.is_hidden(current, part)
            except OSError:
                return None, True  # a file, a link or a whiteout
            os.close(current)
            current = following
            is_hidden = is_hidden or marks.is_opaque(current)
        return os.dup(current), is_hidden
    finally:
        os.close(current)
