"""Removing directory trees, as this user.  Trees with files of other owners are removed in the sandbox instead."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable

from ..errors import StoreError

Remove = Callable[[str], None]
"""Removes a directory tree.  The engine passes one that works on files of mapped owners too."""


def remove_tree(path: str) -> None:
    """Remove a directory tree, never following links; one that is missing is no error.

    Raises ``StoreError`` if something in it can't be removed; what could be is gone then.
    """
    import shutil

    try:
        try:
            shutil.rmtree(path)
        except PermissionError:
            _make_writable(path)  # what a build made read-only, such as Go's module cache
            shutil.rmtree(path)
    except FileNotFoundError:
        return
    except RecursionError as error:
        raise StoreError(f"{path} can't be removed: it is too deep.", hint="run: dockerception prune") from error
    except OSError as error:
        raise StoreError(
            f"{error.filename or path} can't be removed: {error.strerror}.", hint="run: dockerception prune"
        ) from error


def _make_writable(path: str) -> None:
    """Let the owner write to every directory of a tree, where that is us."""
    for folder, names, _ in os.walk(path):
        for name in names:
            inner = os.path.join(folder, name)
            if stat.S_ISDIR(os.lstat(inner).st_mode):
                try:
                    os.chmod(inner, 0o700)
                except PermissionError:
                    continue
