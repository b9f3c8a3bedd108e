"""Makes the tree of a layer from its tar, in a worker that has changed its root to that tree (image-spec layer.md)."""

from __future__ import annotations

import encodings.unicode_escape  # noqa: F401  for the reader's messages: nothing can be imported after chroot
import errno
import os
from typing import Final

from ..errors import ImageError, MachineError
from ..oci import entry
from ..oci.entry import CHAR, DIRECTORY, FILE, Entry
from ..oci.tarreader import TarReader
from ..oci.tarwriter import OPAQUE_NAME, WHITEOUT_PREFIX
from . import causes, linux
from .below import Below
from .calls import UnpackCall, UnpackReply
from .marks import OVERLAY_PREFIXES
from .treewriter import TreeWriter
from .worker import Session

_TREE_MODE: Final = 0o755
_AUFS_PREFIX: Final = ".wh..wh."
_HOSTILE: Final = (errno.EEXIST, errno.EISDIR, errno.ELOOP, errno.ENAMETOOLONG, errno.ENOENT, errno.ENOTDIR)


def perform(call: UnpackCall, session: Session) -> UnpackReply:
    """Do what ``Sandbox.unpack`` promises."""
    source = session.descriptors[0]
    below = Below([f"{session.trees}/{layer}" for layer in reversed(call.below)])
    os.mkdir(call.tree, _TREE_MODE)
    _enter(call.tree)
    os.chdir("/")
    os.chown("/", 0, 0)  # a store in a directory with the set-group-id bit must not hand that on
    os.chmod("/", _TREE_MODE)
    os.umask(0)
    writer = TreeWriter(below)
    reader = TarReader(lambda size: os.read(source, size), origin=call.origin, may_lack_end=True)
    entries = size = 0
    for found in reader:
        entries += 1
        size += found.size
        try:
            _add(writer, reader, found)
        except OSError as error:
            if error.errno not in _HOSTILE:
                raise
            raise ImageError(
                f"{call.origin} has an entry “{found.path}” that can't be made: {error.strerror}."
            ) from error
        except ImageError as error:
            raise ImageError(f"{call.origin} has an entry “{found.path}” {error.message}") from error
    writer.finish()
    _sync()
    return UnpackReply(entries, size, tuple(writer.absent), tuple(writer.absent_xattrs))


def _enter(tree: str) -> None:
    try:
        os.chroot(tree)
    except PermissionError as error:
        cause = causes.of_no_namespaces(causes.facts())
        raise MachineError(
            f"Layers can't be unpacked by this user without a user namespace: {cause.reason}.", hint=cause.remedy
        ) from error


def _add(writer: TreeWriter, reader: TarReader, found: Entry) -> None:
    for name, _ in found.xattrs:
        if name.startswith(OVERLAY_PREFIXES):
            raise ImageError(f"with the attribute {name}, which would forge an overlay's own mark.")
    if found.kind == CHAR and found.device == (0, 0):
        raise ImageError("that is a device 0:0, which would hide a file of another layer.")
    directory, name = entry.parent(found.path), entry.name(found.path)
    if name.startswith(WHITEOUT_PREFIX):
        if name == OPAQUE_NAME:
            writer.make_opaque(directory)
        elif not name.startswith(_AUFS_PREFIX):
            removed = name[len(WHITEOUT_PREFIX) :]
            if removed in ("", ".", ".."):
                raise ImageError("that removes what can't be the name of a file.")
            writer.whiteout(entry.join(directory, removed))
    elif found.path.startswith(_AUFS_PREFIX):
        pass  # files of aufs itself, which old Docker versions left in layers
    elif found.kind == FILE:
        writer.file(found, reader.contents())
    elif found.kind == DIRECTORY:
        writer.directory(found)
    else:
        writer.other(found)


def _sync() -> None:
    descriptor = os.open("/", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    linux.sync_file_system(descriptor)
    os.close(descriptor)
