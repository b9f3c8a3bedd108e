"""Removes trees of any depth, whoever owns what is in them: only the helper may do that for a user."""

from __future__ import annotations

import os
from collections.abc import Sequence

from ..errors import StoreError


def remove(paths: Sequence[str]) -> None:
    """Remove files and trees.  What is missing is no error; raises ``StoreError`` for what can't be removed.

    The system's ``rm`` does it: it copes with paths that are longer than a system call takes, and costs no Python time.
    """
    present = [path for path in paths if os.path.lexists(path)]
    if not present:
        return
    child = os.posix_spawnp("rm", ["rm", "-rf", "--", *present], {"PATH": os.defpath})
    if os.waitpid(child, 0)[1]:
        raise StoreError(f"“{present[0]}” could not be removed completely.")
