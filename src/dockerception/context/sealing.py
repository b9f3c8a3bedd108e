"""Makes the rows of a stream a file tree that one may walk without surprises.

Afterwards every parent is there and is a directory, and every hard link names a file that is in the tree and is no link
itself.  What can't be made so raises ``StreamError``.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from ..errors import StreamError
from ..oci.entry import DIRECTORY, FILE, HARDLINK, NO_OFFSET, SYMLINK, Entry, parent, parents
from ..oci.stream_limits import Limits
from ..oci.toc import Toc, TocBuilder, directory, sort_key


def seal(builder: TocBuilder, origin: str, limits: Limits, *, has_only_listed: bool = False) -> Toc:
    """The toc of these rows.  Hard links carry what their target had when they arrived (see ``tarstream``).

    ``has_only_listed`` is for what is unpacked into an image: directories that are not listed stay away, as what is in
    the image counts there, a link as well.
    """
    toc = builder.build()
    implied = _implied_directories(toc, origin, limits, has_only_listed=has_only_listed)
    changed = [*(() if has_only_listed else implied), *_settled_links(toc)]
    if not changed:
        return toc
    for entry in changed:
        builder.add(entry)
    return builder.build()


def _implied_directories(toc: Toc, origin: str, limits: Limits, *, has_only_listed: bool) -> list[Entry]:
    """Directories that the stream names only as parts of paths.  Their time is the newest of what is in them."""
    known = {""}
    newest: dict[str, int] = {}
    size = 0
    for entry in toc:
        above = parent(entry.path)
        if above not in known:
            for missing in _missing(toc, entry.path, known, origin, has_only_listed=has_only_listed):
                newest[missing] = 0
                size += len(missing)
                if size > limits.max_metadata:
                    # Each name may imply two thousand directories, so they have to be counted too.
                    limit = limits.max_metadata
                    raise StreamError(f"{origin} implies directories with more than {limit} bytes of names.")
        if above in newest:
            newest[above] = max(newest[above], entry.mtime)
        if entry.kind == DIRECTORY:
            known.add(entry.path)
    for path in sorted(newest, key=sort_key, reverse=True):
        above = parent(path)
        if above in newest:
            newest[above] = max(newest[above], newest[path])
    return [directory(path, mtime=mtime) for path, mtime in newest.items()]


def _missing(toc: Toc, path: str, known: set[str], origin: str, *, has_only_listed: bool) -> Iterator[str]:
    """The directories above a path that are not listed; ``known`` gets all of them.

    With ``has_only_listed`` a link may stand for one.
    """
    for above in parents(path):
        if above in known:
            continue
        listed = toc.find(above)
        if listed is not None and listed.kind != DIRECTORY and not (has_only_listed and listed.kind == SYMLINK):
            raise StreamError(
                f"{origin} has the entry {path}, but {above} is a {listed.kind} and no directory.",
                hint="an archive that was appended to may hold both; pack the files anew",
            )
        known.add(above)
        if listed is None:
            yield above


def _settled_links(toc: Toc) -> list[Entry]:
    """Hard links without their copy of the target; those whose target was replaced since become files."""
    settled = []
    for entry in toc:
        if entry.kind != HARDLINK:
            continue
        target = toc.find(entry.link)
        if target is not None and target.kind == FILE and _is_same_file(entry, target):
            link = msgspec.structs.replace(target, path=entry.path, kind=HARDLINK, link=entry.link)
            settled.append(msgspec.structs.replace(link, size=0, digest=b"", offset=NO_OFFSET))
        else:
            settled.append(msgspec.structs.replace(entry, kind=FILE, link=""))
    return settled


def _is_same_file(link: Entry, target: Entry) -> bool:
    return (link.offset, link.size, link.digest) == (target.offset, target.size, target.digest)
