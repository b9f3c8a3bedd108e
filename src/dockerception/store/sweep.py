"""Cleaning up after processes that were killed: their holds end, their temporary directories go.

A tree in there may have files of owners that only the sandbox can remove.  An ordinary sweep tries once, makes a note
of it in the lease's file, and leaves the rest to a thorough sweep.
"""

from __future__ import annotations

import os
import time
from typing import Final

from ..errors import DockerceptionError, StoreError
from .disk import disk_errors
from .lease import DeadLease, dead_leases, scratch_of
from .removal import Remove, remove_tree

_GRACE_SECONDS: Final = 3600.0


def sweep(root: str) -> None:
    """Clean up as far as this user can; raises nothing for what can't be removed, costs nothing when all is clean."""
    for dead in dead_leases(root):
        if dead.needs_help:
            continue
        try:
            _clean(root, dead, remove_tree)
        except StoreError as error:
            # Anything else may be over next time: a container that is still ending, a full disk.
            if isinstance(error.__cause__, PermissionError | RecursionError):
                dead.note_need_of_help()


def sweep_thoroughly(root: str, remove: Remove) -> list[DockerceptionError]:
    """Clean up everything, with a ``remove`` that copes with any owner; returns what went wrong."""
    errors: list[DockerceptionError] = []
    for dead in dead_leases(root):
        try:
            _clean(root, dead, remove)
        except DockerceptionError as error:
            errors.append(error)
    for path in _strays(root):
        try:
            remove(path)
        except DockerceptionError as error:
            errors.append(error)
    return errors


def _clean(root: str, dead: DeadLease, remove: Remove) -> None:
    # First: whatever happens to the files, what the dead process held can be pruned.
    dead.end_holds()
    scratch = scratch_of(root, dead.name)
    if os.path.isdir(scratch):
        remove(scratch)


def _strays(root: str) -> list[str]:
    """What lies in ``tmp/`` without a lease, and has for a while."""
    with disk_errors("listing the store's temporary files"):
        # In this order: a lease has its file before its directory.
        names = os.listdir(os.path.join(root, "tmp"))
        leases = set(os.listdir(os.path.join(root, "leases")))
    paths = [os.path.join(root, "tmp", name) for name in names if name not in leases]
    return [path for path in paths if _is_old(path)]


def _is_old(path: str) -> bool:
    try:
        return time.time() - os.lstat(path).st_ctime > _GRACE_SECONDS
    except FileNotFoundError:
        return False
