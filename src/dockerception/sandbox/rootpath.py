"""Paths inside a root file system that nobody trusts: links are followed, but only within the root.

The root must be at rest: these functions look first and act then.
"""

from __future__ import annotations

import errno
import os
from typing import Final

_MAX_LINKS: Final = 40  # as the kernel's own limit, path_resolution(7)
_OPEN_DIRECTORY: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


def resolve(root: int, path: str) -> str:
    """The real path, relative to the directory ``root``, with no link and no ``..`` left in it.

    Components that do not exist are kept as they are.  Raises ``OSError`` (ELOOP) after forty links.
    """
    waiting = path.split("/")[::-1]
    done: list[str] = []
    links = 0
    while waiting:
        part = waiting.pop()
        if part in ("", "."):
            continue
        if part == "..":
            del done[-1:]
            continue
        try:
            link = os.readlink("/".join((*done, part)), dir_fd=root)
        except OSError:
            done.append(part)  # not a link, or not there
            continue
        links += 1
        if links > _MAX_LINKS:
            raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), path)
        if link.startswith("/"):
            done.clear()
        waiting.extend(reversed(link.split("/")))
    return "/".join(done)


def open_directory(root: int, path: str) -> int:
    """Open a directory below ``root`` with no link followed at any component; the caller closes it."""
    current = os.open(".", _OPEN_DIRECTORY, dir_fd=root)
    try:
        for part in filter(None, path.split("/")):
            below = os.open(part, _OPEN_DIRECTORY, dir_fd=current)
            os.close(current)
            current = below
    except BaseException:
        os.close(current)
        raise
    return current
