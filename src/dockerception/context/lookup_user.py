"""Users and groups by name, as an image's ``/etc/passwd`` and ``/etc/group`` have them: for USER and ``--chown``."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Final

import msgspec

from ..errors import ContextError
from ..oci.entry import FILE, HARDLINK
from .base import Context
from .select import resolve

_USER_FILE: Final = "etc/passwd"
_GROUP_FILE: Final = "etc/group"
_MAX_ID: Final = (1 << 31) - 1
_MAX_FILE: Final = 16 << 20


class User(msgspec.Struct, frozen=True, kw_only=True):
    """Who a process runs as: ids, additional groups (in the file's order), and the home directory for ``HOME``."""

    uid: int
    gid: int
    groups: tuple[int, ...] = ()
    home: str = "/"


class _Account(msgspec.Struct, frozen=True):
    name: str
    uid: int
    gid: int
    home: str


class _Group(msgspec.Struct, frozen=True):
    name: str
    gid: int
    members: tuple[str, ...]


def process_user(context: Context, spec: str) -> User:
    """Who ``USER spec`` is: ``name``, ``uid``, ``name:group``, ``uid:gid`` or a mixture; nothing is root.

    A name (or a uid that the file lists) brings its group, its home and, if no group is given, the additional groups
    it is a member of.  A uid that is not listed has group 0.  Only names need the files.  Raises ``ContextError`` for
    an unknown name or an id out of range.
    """
    user_text, _, group_text = spec.partition(":")
    user_text = user_text or "0"
    number = _number(user_text, spec)
    account = next((found for found in _accounts(context) if user_text == found.name or number == found.uid), None)
    if account is None and number is None:
        number = _without_file(user_text, _USER_FILE, context)
    uid = account.uid if account is not None else number or 0
    home = account.home if account is not None and account.home else "/"
    if group_text:
        return User(uid=uid, gid=_group_id(context, group_text, spec), home=home)
    if account is None:
        return User(uid=uid, gid=0, home=home)
    groups = tuple(group.gid for group in _groups(context) if account.name in group.members)
    return User(uid=uid, gid=account.gid, groups=groups, home=home)


def owner(context: Context, spec: str, unknown: list[str] | None = None) -> tuple[int, int]:
    """The uid and gid of files that ``spec`` owns, as BuildKit has it for ``--chown`` and for WORKDIR below a USER.

    A lone uid is the gid too, a lone name has its group; nothing before or behind a colon is 0.  A user that nobody
    knows is root, a group that nobody knows is that of the user; ``unknown`` gets a sentence for each.  Only names need
    the files.  Raises ``ContextError`` for an id out of range.
    """
    user_text, colon, group_text = spec.partition(":")
    uid = gid = _number(user_text or "0", spec)
    if uid is None:
        account = next((found for found in _accounts(context) if found.name == user_text), None)
        uid, gid = (account.uid, account.gid) if account is not None else (0, 0)
        if account is None and user_text != "root" and unknown is not None:
            unknown.append(_says_unknown(user_text, _USER_FILE, context))
    if colon:
        found = _known_group(context, group_text or "0", spec)
        if found is None and group_text != "root" and unknown is not None:
            unknown.append(_says_unknown(group_text, _GROUP_FILE, context))
        gid = gid if found is None else found
    return uid, gid or 0


def _group_id(context: Context, text: str, spec: str) -> int:
    found = _known_group(context, text, spec)
    return _without_file(text, _GROUP_FILE, context) if found is None else found


def _known_group(context: Context, text: str, spec: str) -> int | None:
    number = _number(text, spec)
    if number is not None:
        return number
    return next((group.gid for group in _groups(context) if group.name == text), None)


def _without_file(text: str, path: str, context: Context) -> int:
    """The id of a name that is not in its file: root is 0 wherever it is not said otherwise."""
    if text == "root":
        return 0
    raise ContextError(
        _says_unknown(text, path, context), hint=f"create it in an earlier step, copy /{path} in, or give a number"
    )


def _says_unknown(text: str, path: str, context: Context) -> str:
    what = "user" if path == _USER_FILE else "group"
    has_file = context.find(resolve(context, path)) is not None
    where = f"is not in /{path} of {context.origin}" if has_file else f"is unknown: {context.origin} has no /{path}"
    return f"The {what} “{text}” {where}."


def _number(text: str, spec: str) -> int | None:
    if not (text.isascii() and text.isdigit()):
        return None
    if not _is_id(text):
        raise ContextError(f"The id {text} in “{spec}” is too large; ids go from 0 to {_MAX_ID}.")
    return int(text)


def _is_id(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= 10 and int(text) <= _MAX_ID


def _accounts(context: Context) -> Iterator[_Account]:
    for fields in _lines(context, _USER_FILE):
        if len(fields) >= 4 and _is_id(fields[2]) and _is_id(fields[3]):
            yield _Account(fields[0], int(fields[2]), int(fields[3]), fields[5] if len(fields) > 5 else "")


def _groups(context: Context) -> Iterator[_Group]:
    for fields in _lines(context, _GROUP_FILE):
        if len(fields) >= 3 and _is_id(fields[2]):
            members = fields[3].split(",") if len(fields) > 3 else []
            yield _Group(fields[0], int(fields[2]), tuple(member.strip() for member in members))


def _lines(context: Context, path: str) -> Iterator[list[str]]:
    """The fields of each line; lines that are no entries (comments, NIS marks) have too few or no numbers in them."""
    entry = context.find(resolve(context, path))
    if entry is None or entry.kind not in (FILE, HARDLINK):
        return
    if entry.size > _MAX_FILE:
        raise ContextError(f"/{path} of {context.origin} is larger than {_MAX_FILE} bytes.")
    data = b"".join(bytes(chunk) for chunk in context.read(entry))
    for line in data.split(b"\n"):
        yield os.fsdecode(line.strip()).split(":")
