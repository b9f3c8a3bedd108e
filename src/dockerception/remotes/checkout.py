"""From a checkout of git to a spooled context: what git knows of files is kept, and nothing of how it lies there."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from ..context.directory import DirectoryContext
from ..errors import ContextError
from ..oci.entry import DIRECTORY, FILE, SYMLINK, Entry
from ..oci.toc import Toc, TocBuilder
from ..store.disk import disk_errors


def spool_checkout(
    folder: str, descriptor: int, *, time: int, keeps_git_dir: bool, name: str, max_bytes: int = 0
) -> Toc:
    """Write the contents of a checkout's files one after another into an open file; returns the list of entries.

    Modes are git's (0755, 0644), whatever this machine's umask is; all times are ``time``, in seconds since 1970.
    Raises ``ContextError`` for more than ``max_bytes`` bytes (0: no limit).
    """
    files = DirectoryContext(folder)
    builder, position = TocBuilder(), 0
    with disk_errors("keeping a repository"), open(descriptor, "wb", closefd=False) as spool:
        for entry in _entries(files, time, keeps_git_dir):
            if entry.kind != FILE:
                builder.add(entry)
                continue
            builder.add(msgspec.structs.replace(entry, digest=files.digest(entry), offset=position))
            position += entry.size
            if max_bytes and position > max_bytes:
                raise ContextError(
                    f"The repository {name} has more than {max_bytes} bytes.",
                    hint="allow more with --max-context SIZE",
                )
            for chunk in files.read(entry):
                spool.write(chunk)
    return builder.build()


def subdirectory(toc: Toc, directory: str, name: str) -> Toc:
    """What is inside a directory; raises ``ContextError`` if there is none of that name."""
    found = toc.find(directory)
    if found is None or found.kind != DIRECTORY:
        raise ContextError(f"The repository {name} has no directory {directory}.", hint="check what follows REF:")
    skip = len(directory) + 1
    return Toc.of(
        msgspec.structs.replace(entry, path=entry.path[skip:]) for entry in toc.walk(directory) if entry.path[skip:]
    )


def _entries(files: DirectoryContext, time: int, keeps_git_dir: bool) -> Iterator[Entry]:
    for entry in files.walk(""):
        if not entry.path or (not keeps_git_dir and "/.git/" in f"/{entry.path}/"):
            continue
        mode = 0o777 if entry.kind == SYMLINK else 0o755 if entry.mode & 0o100 else 0o644
        yield msgspec.structs.replace(entry, mode=mode, mtime=time, uid=0, gid=0, xattrs=())
