"""A root file system as an image, and an image's file tree as a tar (``type=tar``) or a directory (``type=local``)."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

import msgspec

from ..context.base import Context
from ..errors import TransportError
from ..oci import compression, tarwriter
from ..oci.chunks import reader_of
from ..oci.entry import Entry
from ..oci.toc import Toc
from ..reference import Platform
from .base import Read, SourceImage, SourceLayer
from .canonical import LinkOrder
from .plain_config import plain_config
from .tree_reader import TreeReader
from .tree_writer import TreeWriter
from .verified import decompressed

_CHUNK: Final = 1 << 20


def open_image(path: str, *, platform: Platform) -> SourceImage:
    """The image of one layer whose files are those of a tar (compressed or not) or of a directory.

    A tar becomes the layer byte for byte; whoever reads it checks that it is one.  Its identity is the digest of the
    file, a directory's that of its entries and their contents.  Raises ``TransportError`` if it can't be read.
    """
    if os.path.isdir(path):
        return DirectoryRootfs(path, platform)
    return TarRootfs(path, platform)


class TarRootfs:
    """A root file system in a tar."""

    layers = (SourceLayer(),)

    def __init__(self, path: str, platform: Platform) -> None:
        self.config_bytes = plain_config(platform, origin="rootfs")
        self._path = path
        with self._file() as file:
            self.identity = f"sha256:{_digest(file)}"

    @contextmanager
    def read_layer(self, index: int) -> Iterator[Read]:
        """The tar, decompressed; ``ImageError`` where the compressed data are damaged."""
        with self._file() as file:
            yield decompressed(file, compression.detect(self._head()), origin=f"The archive {self._path}")

    def close(self) -> None:
        """Nothing stays open."""

    def _head(self) -> bytes:
        with self._file() as read:
            return read(6)

    @contextmanager
    def _file(self) -> Iterator[Read]:
        try:
            with open(self._path, "rb") as file:
                yield file.read
        except OSError as error:
            raise TransportError(f"The archive {self._path} can't be read: {error.strerror}.") from error


class DirectoryRootfs:
    """A root file system in a directory of this machine."""

    layers = (SourceLayer(),)

    def __init__(self, path: str, platform: Platform) -> None:
        self.config_bytes = plain_config(platform, origin="rootfs")
        self._tree = TreeReader(path)
        self._toc: Toc = self._tree.toc()
        self.identity = f"sha256:{hashlib.sha256(self._toc.encode()).hexdigest()}"

    @contextmanager
    def read_layer(self, index: int) -> Iterator[Read]:
        """The canonical tar of the directory as it was listed; ``TransportError`` where a file has changed since."""
        links = LinkOrder(self._toc.find, self._tree.contents)
        yield reader_of(tarwriter.write(links.entries(self._toc), links.contents))

    def close(self) -> None:
        """Nothing stays open."""


def write_tar(context: Context, sink: Callable[[bytes], None], *, mtime: int | None = None) -> None:
    """Write a file tree as an uncompressed tar to ``sink``, which gets its bytes in order (see ``tar_chunks``)."""
    for chunk in tar_chunks(context, mtime=mtime):
        sink(chunk)


def tar_chunks(context: Context, *, mtime: int | None = None) -> Iterator[bytes]:
    """A file tree as an uncompressed tar, owners 0:0 unless the context keeps them.  Equal trees give equal bytes.

    ``mtime``, in seconds since 1970, is the time of every entry; None keeps the entries' own.
    """
    links = LinkOrder(context.find, context.read)
    return map(bytes, tarwriter.write(_entries(context, links, mtime), links.contents))


def write_directory(context: Context, directory: str, *, mtime: int | None = None) -> list[str]:
    """Write a file tree into a directory, which is made if missing.  Returns notes for the user.

    ``mtime`` is as with ``tar_chunks``.
    As with ``docker buildx``, files that are there already stay unless the tree has something of the same path, which
    replaces them.  No link is followed below ``directory``, neither one that was there nor one of the tree.  Owners are
    kept only for root.  What a directory can't hold (device nodes, attributes that this user may not set) is left out
    with a note.  Raises ``TransportError`` if the directory can't be written.
    """
    links = LinkOrder(context.find, context.read)
    return TreeWriter(directory, links.contents, keeps_owners=os.geteuid() == 0).write(_entries(context, links, mtime))


def _entries(context: Context, links: LinkOrder, mtime: int | None) -> Iterator[Entry]:
    changes = {**({} if context.keeps_owners else {"uid": 0, "gid": 0}), **({} if mtime is None else {"mtime": mtime})}
    for entry in links.entries(context.walk("")):
        yield msgspec.structs.replace(entry, **changes) if changes else entry


def _digest(read: Read) -> str:
    hasher = hashlib.sha256()
    while chunk := read(_CHUNK):
        hasher.update(chunk)
    return hasher.hexdigest()
