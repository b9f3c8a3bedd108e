"""Makes the rows of a stream a file tree that one may walk without surprises.

Afterwards every parent is there and is a directory, and every hard link names a file that is in the tree and is no link
itself.  What can't be made so raises ``StreamError``.
"""

from __future__ import annotations

import msgspec

from ..errors import StreamError
from ..oci.entry import DIRECTORY, FILE, HARDLINK, NO_OFFSET, Entry, parent, parents
from ..oci.toc import Toc, TocBuilder, directory


def seal(builder: TocBuilder, origin: str) -> Toc:
    """The toc of these rows.  Hard links carry what their target had when they arrived (see ``tarstream``)."""
    toc = builder.build()
    changed = [*_implied_directories(toc, origin), *_settled_links(toc)]
    if not changed:
        return toc
    for entry in changed:
        builder.add(entry)
    return builder.build()


def _implied_directories(toc: Toc, origin: str) -> list[Entry]:
    """Directories that the stream names only as parts of paths.  Their time is the newest of what is in them."""
    known = {""}
    implied: dict[str, int] = {}
    for entry in toc:
        if parent(entry.path) not in known:
            for above in parents(entry.path):
                listed = toc.find(above)
                if listed is None:
                    implied.setdefault(above, 0)
                elif listed.kind != DIRECTORY:
                    raise StreamError(
                        f"{origin} has the entry {entry.path}, but {above} is a {listed.kind} and no directory.",
                        hint="an archive that was appended to may hold both; pack the files anew",
                    )
                known.add(above)
        if entry.kind == DIRECTORY:
            known.add(entry.path)
    for path in implied:
        implied[path] = max(entry.mtime for entry in toc.walk(path))
    return [directory(path, mtime=mtime) for path, mtime in implied.items()]


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
