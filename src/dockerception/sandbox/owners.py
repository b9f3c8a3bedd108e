"""Giving files an owner, and processes a user: in a user's namespace only some ids are there to be given."""

from __future__ import annotations

import errno
import os
from typing import Final

from ..errors import MachineError

_HINT: Final = (
    "ask the administrator for subordinate ids: usermod --add-subuids 100000-165535 --add-subgids 100000-165535 USER"
)


def give(target: str | int, uid: int, gid: int, what: str) -> None:
    """Change the owner of an open file, or of a path whose last link is not followed.

    Raises ``MachineError`` about ``what`` if these ids are not this namespace's to give.
    """
    try:
        if isinstance(target, int):
            os.chown(target, uid, gid)
        else:
            os.chown(target, uid, gid, follow_symlinks=False)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.EPERM):
            raise
        raise MachineError(
            f"“{what}” belongs to {uid}:{gid}, an owner that this user can't give.", hint=_HINT
        ) from error


def check_user(uid: int, gid: int) -> None:
    """Raise ``MachineError`` unless a process of this namespace can become that user and have that group.

    A runtime would say no more than “Invalid argument”.  Further groups it leaves out where none can be set.
    """
    for what, number, table in (("user", uid, "uid_map"), ("group", gid, "gid_map")):
        with open(f"/proc/self/{table}", encoding="ascii") as file:
            if not is_mapped(number, file.read()):
                raise MachineError(
                    f"It would have to run as the {what} {number}, which is none that this user's namespace has.",
                    hint=_HINT,
                )


def is_mapped(number: int, table: str) -> bool:
    """Whether an id is in an id map (user_namespaces(7))."""
    ranges = [[int(word) for word in line.split()] for line in table.splitlines()]
    return any(first <= number < first + count for first, _, count in ranges)
