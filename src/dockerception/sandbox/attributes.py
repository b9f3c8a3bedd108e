"""Owner, mode, times and extended attributes of directories, given to others."""

from __future__ import annotations

import os

from .marks import OVERLAY_PREFIXES


def copy_attributes(source: str | int, target: str | int) -> None:
    """Give a directory the owner, mode, times and extended attributes of another, but no overlay mark."""
    give_attributes(source, target, os.stat(source))


def give_attributes(source: str | int, target: str | int, status: os.stat_result) -> None:
    """``copy_attributes`` with the source's status as it was at some moment."""
    os.chown(target, status.st_uid, status.st_gid)
    os.chmod(target, status.st_mode & 0o7777)
    for name in os.listxattr(source):
        if not name.startswith(OVERLAY_PREFIXES):
            os.setxattr(target, name, os.getxattr(source, name))
    os.utime(target, ns=(status.st_atime_ns, status.st_mtime_ns))
