"""The files that a step reads, told so briefly that they can be kept with every step that was done."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Final

import msgspec

from ...context.base import Context
from ...context.ignore import IgnoreRules
from ...oci.entry import DIRECTORY, FILE, HARDLINK, Entry, join
from ..explaining import FileFact, told

_MOST: Final = 1000
_SHORT: Final = 8
_encode = msgspec.msgpack.Encoder().encode


def file_facts(context: Context, path: str, *, shown: str, exclude: IgnoreRules | None = None) -> dict[str, FileFact]:
    """What is at and below ``path``, named as if that were ``shown``; links in ``path`` have been followed."""
    facts = {}
    for entry in context.walk(path):
        relative = entry.path[len(path) :].lstrip("/")
        if entry.path and not (relative and exclude is not None and exclude.is_ignored(relative)):
            facts[told(join(shown, relative) if relative else shown)] = _fact(context, entry)
    return facts


def shortened(facts: dict[str, FileFact]) -> dict[str, FileFact]:
    """At most a thousand of them: where there are more, directories stand for what is in them, as deep as possible."""
    depth = max((path.count("/") for path in facts), default=0)
    while len(facts) > _MOST and depth > 0:
        facts = _grouped(facts, depth)
        depth -= 1
    return facts if len(facts) <= _MOST else {"": _summed(facts.items())}


def _fact(context: Context, entry: Entry) -> FileFact:
    content = b""
    if entry.kind in (FILE, HARDLINK):
        content = (entry.digest or context.digest(entry))[:_SHORT]
    link = "" if entry.kind == HARDLINK else told(entry.link)
    owner = (entry.uid, entry.gid) if context.keeps_owners else ()
    kind = FILE if entry.kind == HARDLINK else entry.kind
    rest = (kind, link, owner, entry.device, [(told(name), value) for name, value in entry.xattrs])
    is_plain = kind in (FILE, DIRECTORY) and not owner and not entry.xattrs
    return FileFact(entry.mode, content, kind[:1].encode() if is_plain else _digest(rest))


def _grouped(facts: dict[str, FileFact], depth: int) -> dict[str, FileFact]:
    """What is deeper than ``depth`` directories, as one fact of the directory there."""
    groups: dict[str, list[tuple[str, FileFact]]] = {}
    kept: dict[str, FileFact] = {}
    for path, fact in facts.items():
        parts = path.rstrip("/").split("/")
        if len(parts) <= depth:
            kept[path] = fact
        else:
            groups.setdefault("/".join(parts[:depth]) + "/", []).append((path, fact))
    return kept | {path: _summed(members) for path, members in groups.items()}


def _summed(members: Iterable[tuple[str, FileFact]]) -> FileFact:
    return FileFact(0, _digest(list(members)))


def _digest(value: object) -> bytes:
    return hashlib.sha256(_encode(value)).digest()[:_SHORT]
