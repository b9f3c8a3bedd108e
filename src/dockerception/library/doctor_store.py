"""What ``doctor`` says of the store: where it lies, and what its file system can do."""

from __future__ import annotations

import os
import shutil
from typing import Final

from ..sandbox import causes
from ..store.store import Store
from .findings import Check

_MIN_FREE: Final = 2 << 30
_ELSEWHERE: Final = "set DOCKERCEPTION_HOME to a directory on a local disk"


def checks(store: Store) -> list[Check]:
    """The findings."""
    kind = causes.file_system_of(store.root)
    free = shutil.disk_usage(store.root).free
    has_xattrs = _has_user_xattrs(store)
    is_remote = kind in causes.NETWORK_FILE_SYSTEMS
    note = ": its locks and owners can't be relied upon" if is_remote else ""
    if kind == "overlay":
        note = ", as in a container: the files of images are copied for each step; a volume would be faster"
    return [
        Check(
            name="store",
            works=not is_remote,
            needed_for="everything",
            detail=f"{store.root} on {kind}{note}",
            hint=_ELSEWHERE if is_remote else "",
        ),
        Check(
            name="xattrs",
            works=has_xattrs,
            needed_for="RUN that replaces directories, and files with capabilities",
            detail="user.* attributes work in the store" if has_xattrs else f"{kind} has no user.* attributes",
            hint="" if has_xattrs else _ELSEWHERE,
        ),
        Check(
            name="space",
            works=free >= _MIN_FREE,
            needed_for="building",
            detail=f"{free / 1e9:.1f} GB are free",
            hint="" if free >= _MIN_FREE else "free some space, e.g. with “dockerception prune”",
        ),
    ]


def _has_user_xattrs(store: Store) -> bool:
    path = store.temporary()
    with open(path, "xb"):
        pass
    try:
        os.setxattr(path, "user.dockerception", b"1")
    except OSError:
        return False
    finally:
        os.unlink(path)
    return True
