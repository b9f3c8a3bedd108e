"""Copies of files and trees on one machine: bytes are shared where the file system can, holes stay holes."""

from __future__ import annotations

import os
import stat
from typing import Final

from ..errors import StoreError
from .marks import OVERLAY_PREFIXES

_READ: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC
_CREATE: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_MAX_COPY: Final = 1 << 30


def copy_tree(source: str, target: str) -> None:
    """Copy a file or tree with owners, links, times and attributes.  The system's ``cp`` costs no Python time."""
    child = os.posix_spawnp("cp", ["cp", "-a", "--reflink=auto", "--", source, target], {"PATH": os.defpath})
    if os.waitpid(child, 0)[1]:
        raise StoreError(f"“{source}” could not be copied.", hint="is the disk full?")


def copy_entry(name: str, status: os.stat_result, source: int, target: int) -> None:
    """Copy what is no directory from one open directory to another, where nothing of that name is, with all it has."""
    kind = stat.S_IFMT(status.st_mode)
    if kind == stat.S_IFREG:
        _copy_file(name, status, source, target)
        return
    if kind == stat.S_IFLNK:
        os.symlink(os.readlink(name, dir_fd=source), name, dir_fd=target)
    else:
        os.mknod(name, status.st_mode, status.st_rdev, dir_fd=target)
    os.chown(name, status.st_uid, status.st_gid, dir_fd=target, follow_symlinks=False)
    if kind != stat.S_IFLNK:
        os.chmod(name, status.st_mode & 0o7777, dir_fd=target)
    old, new = f"/proc/self/fd/{source}/{name}", f"/proc/self/fd/{target}/{name}"
    for attribute in os.listxattr(old, follow_symlinks=False):
        os.setxattr(new, attribute, os.getxattr(old, attribute, follow_symlinks=False), follow_symlinks=False)
    os.utime(name, ns=(status.st_atime_ns, status.st_mtime_ns), dir_fd=target, follow_symlinks=False)


def _copy_file(name: str, status: os.stat_result, source: int, target: int) -> None:
    old = os.open(name, _READ, dir_fd=source)
    new = os.open(name, _CREATE, 0o600, dir_fd=target)
    try:
        _copy_contents(old, new, status)
        os.chown(new, status.st_uid, status.st_gid)
        os.chmod(new, status.st_mode & 0o7777)  # after chown, which clears some of these bits
        for attribute in os.listxattr(old):
            if not attribute.startswith(OVERLAY_PREFIXES):
                os.setxattr(new, attribute, os.getxattr(old, attribute))
        os.utime(new, ns=(status.st_atime_ns, status.st_mtime_ns))
    finally:
        os.close(old)
        os.close(new)


def _copy_contents(old: int, new: int, status: os.stat_result) -> None:
    if status.st_blocks * 512 >= status.st_size:
        _copy_range(old, new, 0, status.st_size)
        return
    position = 0
    while position < status.st_size:
        try:
            start = os.lseek(old, position, os.SEEK_DATA)
        except OSError:
            break  # ENXIO: only a hole is left
        position = os.lseek(old, start, os.SEEK_HOLE)
        _copy_range(old, new, start, position)
    os.truncate(new, status.st_size)


def _copy_range(old: int, new: int, start: int, end: int) -> None:
    """Copy bytes ``start`` to ``end``, which file systems with shared extents do without reading them."""
    while start < end:
        try:
            count = os.copy_file_range(old, new, min(end - start, _MAX_COPY), start, start)
        except OSError:
            os.lseek(new, start, os.SEEK_SET)
            count = os.sendfile(new, old, start, min(end - start, _MAX_COPY))
        if not count:
            return
        start += count
