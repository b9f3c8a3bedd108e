"""Removing directory trees, as this user.  Trees with files of other owners are removed in the sandbox instead."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from typing import Final

from ..errors import StoreError

_TRIES: Final = 3
_HINT: Final = "“dockerception prune” removes what files of other owners hinder"

Remove = Callable[[str], None]
"""Removes a directory tree.  The engine passes one that works on files of mapped owners too."""


def remove_tree(path: str) -> None:
    """Remove a directory tree, never following links; one that is missing is no error.

    Raises ``StoreError`` if something in it can't be removed; what could be is gone then.
    """
    try:
        os.rmdir(path)
    except OSError:
        _remove_full(path)  # or one that is missing, or another's


def _remove_full(path: str) -> None:
    import shutil

    try:
        for _ in range(_TRIES):
            try:
                shutil.rmtree(path)
            except PermissionError:
                _make_writable(path)  # what a build made read-only, such as Go's module cache
            except FileNotFoundError:
                pass  # all of it is gone, or somebody else is removing it too
            if not os.path.lexists(path):
                return
        shutil.rmtree(path)
    except RecursionError as error:
        raise StoreError(f"{path} can't be removed: it is too deep.", hint=_HINT) from error
    except OSError as error:
        raise StoreError(f"{error.filename or path} can't be removed: {error.strerror}.", hint=_HINT) from error


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
