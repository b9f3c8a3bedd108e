"""Reads, writes out and deletes what lies in trees."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterator
from typing import Final

from ..errors import ImageError, StoreError
from ..oci import entry, tarwriter
from ..oci.entry import Entry
from ..oci.toc import Toc
from . import linux, removal, rootpath
from .calls import DeleteCall, Done, ReadCall, ReadReply, WriteTarCall
from .messages import Written
from .worker import Session

_CHUNK_SIZE: Final = 1 << 20
_OPEN_FILE: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


def read(call: ReadCall) -> tuple[ReadReply, list[int]]:
    """Open a regular file of a tree; the descriptor goes with the reply."""
    path = os.fsdecode(call.path)
    root = os.open(call.tree, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        descriptor = _open(root, path)
    except OSError as error:
        raise ImageError(f"“{path}” can't be read from its layer: {error.strerror}.") from error
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode):
        raise ImageError(f"“{path}” is not a regular file.")
    return ReadReply(status.st_size), [descriptor]


def write_tar(call: WriteTarCall, session: Session) -> Written:
    """Write the canonical layer tar of a toc, checking each file against it."""
    out = session.descriptors[0]
    root = os.open(call.tree, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    total, digest, waiting = 0, hashlib.sha256(), bytearray()
    for piece in tarwriter.write(Toc.decode(call.toc), lambda file: _contents(root, file)):
        waiting += piece
        if len(waiting) >= _CHUNK_SIZE:
            total += _flush(out, waiting, digest)
    total += _flush(out, waiting, digest)
    return Written(size=total, digest=digest.digest())


def delete(call: DeleteCall) -> Done:
    """Remove files and trees."""
    removal.remove([os.fsdecode(path) for path in call.paths])
    return Done()


def sync(session: Session) -> Done:
    """Write everything of the store's file system to the disk."""
    descriptor = os.open(session.trees, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    linux.sync_file_system(descriptor)
    return Done()


def _contents(root: int, file: Entry) -> Iterator[bytes]:
    try:
        descriptor = _open(root, file.path)
    except OSError as error:
        raise StoreError(f"“{file.path}” can't be read from its tree in the store: {error.strerror}.") from error
    digest, left = hashlib.sha256(), file.size
    try:
        while left:
            chunk = os.read(descriptor, min(left, _CHUNK_SIZE))
            if not chunk:
                break
            digest.update(chunk)
            left -= len(chunk)
            yield chunk
        if left or os.read(descriptor, 1) or (file.digest and file.digest != digest.digest()):
            raise StoreError(
                f"“{file.path}” has changed in the store since its layer was made.",
                hint="run: dockerception prune --all",
            )
    finally:
        os.close(descriptor)


def _open(root: int, path: str) -> int:
    directory = rootpath.open_directory(root, entry.parent(path))
    try:
        return os.open(entry.name(path), _OPEN_FILE, dir_fd=directory)
    finally:
        os.close(directory)


def _flush(out: int, waiting: bytearray, digest: hashlib._Hash) -> int:
    digest.update(waiting)
    length = len(waiting)
    view = memoryview(waiting)
    while view:
        view = view[os.write(out, view) :]
    view.release()
    waiting.clear()
    return length
