"""Finding things in a context: through its links, by wildcards, and the digest of what was found."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from typing import Final, Protocol, runtime_checkable

import msgspec

from ..errors import ContextError
from ..oci.entry import DIRECTORY, FILE, HARDLINK, SYMLINK, Entry, join, name, parent
from ..oci.toc import sort_key
from . import patterns
from .base import Context
from .ignore import IgnoreRules

DIGEST_VERSION: Final = b"dockerception content 1\n"
"""Begins what is hashed; another number whenever equal contents would no longer give equal digests."""

_MAX_LINKS: Final = 255
_encode = msgspec.msgpack.Encoder().encode


@runtime_checkable
class HashesAhead(Protocol):
    """A context that finds many digests faster together than one by one."""

    def digest_below(self, path: str) -> None:
        """Find the digests of all files at and below ``path``."""


def clean(path: str) -> str:
    """A path as written in a Dockerfile made relative to the root of a context; ``..`` never leads out of it."""
    return "/".join(_steps(path))


def resolve(context: Context, path: str, *, follows_last: bool = True) -> str:
    """The path that ``path`` leads to inside the context when all symbolic links on the way are followed.

    Absolute links start at the context's root, and ``..`` stops there, as in a chroot.  What does not exist is kept as
    written, so the result need not exist.  ``follows_last=False`` leaves a link alone that the whole path names.
    Raises ``ContextError`` for links that go round in circles.
    """
    return follow(context.find, path, origin=context.origin, follows_last=follows_last)


def follow(find: Callable[[str], Entry | None], path: str, *, origin: str, follows_last: bool = True) -> str:
    """``resolve`` where there is no context, only a way to look up entries; ``origin`` is for the error's message."""
    pending = path.split("/")[::-1]
    current = ""
    links = 0
    while pending:
        part = pending.pop()
        if part in ("", "."):
            continue
        if part == "..":
            current = parent(current)
            continue
        step = join(current, part)
        entry = find(step)
        is_last = not any(part not in ("", ".") for part in pending)
        if entry is None or entry.kind != SYMLINK or (is_last and not follows_last):
            current = step
            continue
        links += 1
        if links > _MAX_LINKS:
            raise ContextError(f"The links of {path} in {origin} go round in circles (seen at {step}).")
        if entry.link.startswith("/"):
            current = ""
        pending += entry.link.split("/")[::-1]
    return current


def glob(context: Context, pattern: str) -> list[str]:
    """The paths that a COPY source stands for, in canonical order; none if nothing is there.

    As BuildKit does it: the components before the first one with a wildcard are taken literally and links among them
    are followed; from there on the pattern is matched component by component and no link is followed on the way.  A
    link that is itself matched is returned as it is, since the copy gets its name.  Raises ``ContextError`` for a
    malformed pattern.
    """
    parts = _steps(pattern)
    literal = next((index for index, part in enumerate(parts) if patterns.has_wildcards(part)), len(parts))
    for part in parts[literal:]:
        patterns.translate(part)
    if literal == len(parts):
        found = resolve(context, "/".join(parts), follows_last=False)
        return [found] if context.find(found) is not None else []
    base = resolve(context, "/".join(parts[:literal]))
    matches = [entry for entry in [context.find(base)] if entry is not None]
    for part in parts[literal:]:
        directories = [entry.path for entry in matches if entry.kind == DIRECTORY]
        matches = [entry for directory in directories for entry in _matching(context, directory, part)]
    return [entry.path for entry in matches]


def content_digest(context: Context, path: str, *, owners: bool, exclude: IgnoreRules | None = None) -> bytes:
    """The SHA-256 (32 bytes) of what is at and below ``path``: types, modes, link targets, attributes and bytes.

    Times do not count, owners only if asked for, and neither does the name of ``path`` itself.  ``path`` is resolved
    before, and must exist.  ``exclude`` leaves out what the rules ignore, relative to ``path`` (COPY --exclude).  The
    same tree gives the same digest whatever kind of context it comes from.
    """
    if isinstance(context, HashesAhead) and exclude is None:
        context.digest_below(path)
    hasher = hashlib.sha256(DIGEST_VERSION)
    is_empty = True
    for entry in context.walk(path):
        is_empty = False
        relative = _relative(entry.path, path)
        # Whether a context has an entry of its own for the root is its own affair, so that one does not count.
        if entry.path and not (relative and exclude is not None and exclude.is_ignored(relative)):
            hasher.update(_row(context, entry, path, owners, exclude))
    if is_empty and path:
        raise ContextError(f"There is no {path} in {context.origin}.")
    return hasher.digest()


def _row(context: Context, entry: Entry, top: str, owners: bool, exclude: IgnoreRules | None) -> bytes:
    """One entry's canonical encoding: a msgpack array, whose length is part of it."""
    kind, link, digest = entry.kind, entry.link, b""
    if kind == FILE:
        digest = entry.digest or context.digest(entry)
    elif kind == HARDLINK:
        digest = context.digest(entry)
        # Only where the link's target is copied along, the copy is a link too.
        if _is_inside(link, top) and not (exclude is not None and exclude.is_ignored(_relative(link, top))):
            link = _relative(link, top)
        else:
            kind, link = FILE, ""
    return _encode(
        (
            sort_key(_relative(entry.path, top)),
            kind,
            entry.mode,
            sort_key(link),
            digest,
            [(sort_key(key), value) for key, value in entry.xattrs],
            entry.device,
            (entry.uid, entry.gid) if owners else (),
        )
    )


def _relative(path: str, top: str) -> str:
    return path[len(top) + 1 :] if top else path


def _is_inside(path: str, top: str) -> bool:
    return top == "" or path.startswith(top + "/")


def _matching(context: Context, directory: str, pattern: str) -> Iterator[Entry]:
    """The entries directly inside a directory whose names match one component of a pattern, in canonical order."""
    if patterns.has_wildcards(pattern) or "\\" in pattern:
        for entry in context.children(directory):
            if patterns.match(pattern, name(entry.path)):
                yield entry
    else:
        only = context.find(join(directory, pattern))
        if only is not None:
            yield only


def _steps(path: str) -> list[str]:
    parts: list[str] = []
    for part in path.split("/"):
        if part == "..":
            del parts[-1:]
        elif part not in ("", "."):
            parts.append(part)
    return parts
