"""What the sources of a COPY or ADD name: found before anything is copied, because keys need it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import msgspec

from ...context import ignore, select
from ...context.base import Context
from ...context.compose import Filtered, Subtree
from ...context.patterns import has_wildcards
from ...dockerfile import instructions as ins
from ...errors import ContextError
from ...oci.entry import DIRECTORY
from ..directories import no_directory

FILLED: Final = "in"
PUBLISHED: Final = "publish"
"""The marks of a COPY that stands for IN or PUBLISH (``Copy.root``)."""


class Source(msgspec.Struct, frozen=True, kw_only=True):
    """A match of one of the sources: ``path`` as it was found, ``followed`` where its links lead, in ``context``.

    ``unpacks`` says that ADD unpacks it, if it is an archive.
    """

    context: Context
    path: str
    followed: str
    unpacks: bool = False


def find_sources(
    instruction: ins.Copy | ins.Add, context: Context, fetch: Callable[[ins.Add, str], Source]
) -> list[Source]:
    """The matches of the sources, in the order of the instruction; ``fetch`` gives those of ADD that are remote.

    Raises ``ContextError`` for one without wildcards that is not there; a wildcard may match nothing.
    """
    if isinstance(instruction, ins.Copy) and instruction.root == PUBLISHED:
        return [_published(instruction.sources[0], context)]
    unpacks = isinstance(instruction, ins.Add) and instruction.unpack is not False
    found = []
    for pattern in instruction.sources:
        if any(pattern == file.name for file in instruction.files):
            continue
        if isinstance(instruction, ins.Add) and ins.is_remote(pattern):
            found.append(fetch(instruction, pattern))
            continue
        if isinstance(instruction, ins.Copy) and instruction.keeps_parents:
            found += _with_parents(pattern, context)
            continue
        matches = select.glob(context, pattern)
        if not matches and not has_wildcards(pattern):
            raise missing(pattern, context)
        for match in matches:
            followed = select.resolve(context, match)
            if followed and context.find(followed) is None:
                raise missing(match, context)
            found.append(Source(context=context, path=match, followed=followed, unpacks=unpacks))
    return found


def _published(directory: str, context: Context) -> Source:
    """The directory of a PUBLISH; its name is no pattern."""
    path = select.resolve(context, select.clean(directory))
    entry = context.find(path)
    if entry is None or entry.kind != DIRECTORY:
        raise no_directory("PUBLISH", context, path)
    return Source(context=context, path=path, followed=path)


def _with_parents(source: str, context: Context) -> list[Source]:
    """What ``COPY --parents`` takes of a source (Dockerfile reference, "COPY --parents"): each directory that is meant
    before ``/./``, else the root, in which there is only what matches the rest, and the directories above that."""
    before, pivot, rest = f"/{source.lstrip('/')}".partition("/./")
    top, pattern = (before, rest) if pivot else ("", source)
    pattern = select.clean(pattern)
    rules = ignore.compile(ignore.read(f"**\n!{pattern}".encode(), source="--parents"))
    directories = [select.resolve(context, match) for match in select.glob(context, top)]
    if has_wildcards(top):
        found = [context.find(directory) for directory in directories]
        directories = [entry.path for entry in found if entry is not None and entry.kind == DIRECTORY]
    below = [Filtered(Subtree(context, directory), rules) for directory in directories]
    if not has_wildcards(source) and not any(tree.find(pattern) is not None for tree in below):
        raise missing(source, context)
    return [Source(context=tree, path="", followed="") for tree in below]


def excluding(instruction: ins.Copy | ins.Add) -> ignore.IgnoreRules | None:
    """The rules of ``--exclude``; they are about paths inside each source."""
    patterns = [ignore.Pattern(text, source="--exclude") for text in instruction.exclude]
    return ignore.compile(patterns) if patterns else None


def missing(path: str, context: Context) -> ContextError:
    """The error for a source that is not there."""
    return ContextError(
        f"“{path}” is not in {context.origin}.",
        hint="sources are looked up inside the context only, and what .dockerignore excludes is not there",
    )
