"""Which owners a user's namespace can tell apart: the user's own id as 0, then the subordinate ids (subuid(5))."""

from __future__ import annotations

import os
import pwd
import re
from typing import Final

import msgspec

from .. import process
from ..errors import MachineError
from .causes import Cause

_SUBUID: Final = "/etc/subuid"
_SUBGID: Final = "/etc/subgid"
_LAST: Final = 2**32 - 2
_WANTS_OWNER: Final = re.compile(r"(?i)(chown|chgrp|owner|set\w*[ug]id|setgroups).*(Invalid argument|not permitted)")


class Range(msgspec.Struct, frozen=True):
    """``count`` ids: ``inside`` in the namespace is ``outside`` on the host, and so on upward."""

    inside: int
    outside: int
    count: int


def subordinate(table: str, user: str, number: int) -> list[tuple[int, int]]:
    """The (first, count) ranges that a text like /etc/subuid gives to a user, who is named or numbered there."""
    found = []
    for line in table.splitlines():
        owner, _, rest = line.strip().partition(":")
        first, _, count = rest.partition(":")
        if owner in (user, str(number)) and first.isdigit() and count.isdigit() and int(count) > 0:
            found.append((int(first), int(count)))
    return found


def ranges(own: int, granted: list[tuple[int, int]]) -> list[Range]:
    """The map of a namespace: ``own`` becomes 0, the granted ranges follow without gaps."""
    result = [Range(0, own, 1)]
    inside = 1
    for first, count in granted:
        result.append(Range(inside, first, count))
        inside += count
    return result


def identity(table: str) -> str:
    """The map that leaves every id of an id map (user_namespaces(7)) what it is.

    Without the very last one: a map of all there are would look like that of the machine itself.
    """
    ranges_of_table = [[int(word) for word in line.split()] for line in table.splitlines()]
    return "\n".join(f"{first} {first} {min(count, _LAST - first)}" for first, _, count in ranges_of_table)


def has_subordinate_ids() -> bool:
    """Whether this user may map more than one uid and gid."""
    return bool(_granted(_SUBUID)) and bool(_granted(_SUBGID)) and process.find("newuidmap") is not None


def cause() -> Cause:
    """Why ``has_subordinate_ids`` is false."""
    if _granted(_SUBUID) and _granted(_SUBGID):
        return Cause("the program newuidmap is missing", "apt-get install uidmap")
    ranges_of_user = f"--add-subuids 100000-165535 --add-subgids 100000-165535 {_user()}"
    return Cause("this user has no ranges in /etc/subuid and /etc/subgid", f"as root: usermod {ranges_of_user}")


def explain(output: str) -> str:
    """What to do about a step that failed, if its output says that it wanted an owner that this user can't give."""
    if os.geteuid() == 0 or not _WANTS_OWNER.search(output) or has_subordinate_ids():
        return ""
    why = cause()
    return f"{why.reason}, so steps can give files to no other owner than 0; {why.remedy}"


def write(pid: int) -> None:
    """Give the new user namespace of ``pid`` its maps; with one id only where no subordinate ids are granted.

    Root of a container gives it all the ids that the container has.  Raises ``MachineError`` where that fails.
    """
    if os.geteuid() == 0:
        for kind in ("uid_map", "gid_map"):
            _write_file(f"/proc/{pid}/{kind}", identity(_read(f"/proc/self/{kind}")))
        return
    if has_subordinate_ids():
        for tool, own, table in (("newuidmap", os.geteuid(), _SUBUID), ("newgidmap", os.getegid(), _SUBGID)):
            numbers = [str(n) for r in ranges(own, _granted(table)) for n in (r.inside, r.outside, r.count)]
            process.run([process.require(tool, "uidmap", "for user namespaces"), str(pid), *numbers])
        return
    try:
        _write_file(f"/proc/{pid}/setgroups", "deny")
        _write_file(f"/proc/{pid}/uid_map", f"0 {os.geteuid()} 1")
        _write_file(f"/proc/{pid}/gid_map", f"0 {os.getegid()} 1")
    except OSError as error:
        raise MachineError(
            f"The id map of a user namespace can't be written: {error.strerror}.",
            hint="ask the administrator for unprivileged user namespaces, or run as root",
        ) from error


def _granted(path: str) -> list[tuple[int, int]]:
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            table = file.read()
    except OSError:
        return []
    return subordinate(table, _user(), os.geteuid())


def _user() -> str:
    """The name of this user, as far as there is one."""
    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        return str(os.geteuid())


def _read(path: str) -> str:
    with open(path, encoding="ascii") as file:
        return file.read()


def _write_file(path: str, text: str) -> None:
    with open(path, "w", encoding="ascii") as file:
        file.write(text)
