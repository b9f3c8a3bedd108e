"""A context and its Dockerfile as one tar for a builder that takes nothing else, made while it is sent."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Final

import msgspec

from ...context.base import Context
from ...oci import tarwriter
from ...oci.entry import FILE, Entry
from ...transports.canonical import LinkOrder

IGNORE_FILE: Final = ".dockerignore"
PODMAN_IGNORE_FILE: Final = ".containerignore"
"""What Podman looks at first: next to it, ``.dockerignore`` is a file like any other."""


def chunks(
    context: Context, dockerfile: bytes, name: str, more: Mapping[str, bytes] = {}, *, ignore_file: str = IGNORE_FILE
) -> Iterator[bytes]:
    """The tar: the files of the context, owned by 0:0, the Dockerfile under ``name``, and ``more`` files by name.

    The ignore rules have been applied; but the builder looks for some once more, in ``ignore_file``, and by them
    forgets the Dockerfile after it has read it, so that ``COPY .`` does not find it, nor ``more``.  An ignore file that
    is there for this only is forgotten as well.
    """
    existing = context.find(ignore_file)
    kept = b"".join(context.read(existing)) if existing is not None and existing.kind == FILE else None
    hidden = [*([] if kept is not None else [ignore_file]), name, *more]
    first = b"" if kept is None else kept.rstrip(b"\n") + b"\n"
    rules = first + "".join(f"{each}\n" for each in hidden).encode()
    ours = {name: dockerfile, ignore_file: rules, **more}
    links = LinkOrder(context.find, context.read)

    def contents(entry: Entry) -> Iterable[bytes | memoryview]:
        return (ours[entry.path],) if entry.path in ours else links.contents(entry)

    for chunk in tarwriter.write(_entries(context, links, ours), contents):
        yield bytes(chunk)


def _entries(context: Context, links: LinkOrder, ours: dict[str, bytes]) -> Iterator[Entry]:
    for path, data in ours.items():
        yield Entry(path=path, kind=FILE, size=len(data))
    for entry in links.entries(context.walk("")):
        if entry.path not in ours and entry.path:
            yield msgspec.structs.replace(entry, uid=0, gid=0)
