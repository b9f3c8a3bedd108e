"""A layer's three faces, each made when it is first needed: *tree* to mount, *blob* to send, *toc* to ask.

A layer lies on a stack of others, and what it holds is what differs from them; so questions here are asked of a stack
(short ids, bottom first), whose last layer is meant.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Final

import msgspec

from ...context.base import Context
from ...context.image import layered_context
from ...errors import ContextError, ImageError, StoreError
from ...oci import tarwriter
from ...oci.entry import FILE, NO_OFFSET, Entry
from ...oci.toc import Toc
from ...progress import Notice, Reporter
from ...reference import Digest
from ...store.disk import disk_errors
from ...store.layers import Layer
from ...store.store import Store

_CHUNK: Final = 1 << 20
_FETCHES: Final = 3  # so many go over the network at a time, as with Docker
Contents = Callable[[Entry], Iterable[bytes | memoryview]]
if TYPE_CHECKING:
    from ...sandbox.client import Sandbox

StartSandbox = Callable[[], "Sandbox"]


class Faces:
    """Makes faces in one store.  ``sandbox()`` is asked for only where a tree is to be made or read; ``fetch(layer)``
    only for a layer whose bytes are still elsewhere.

    Threads may share it.  Each face is made once: whoever comes second waits for that layer, and for no other one.
    """

    def __init__(
        self,
        store: Store,
        sandbox: StartSandbox,
        report: Reporter,
        *,
        fetch: Callable[[str], None] = lambda layer: None,
    ) -> None:
        self._store = store
        self._sandbox = sandbox
        self._report = report
        self._fetch = fetch
        self._locks: dict[str, threading.RLock] = {}
        self._tocs: dict[str, Toc] = {}

    def view(self, stack: Sequence[str], origin: str) -> Context:
        """The files of a stack of layers as a context."""
        sources = [_StoredLayer(self, stack[: index + 1]) for index in range(len(stack))]
        return layered_context(sources, origin=origin)

    def layer(self, name: str) -> Layer:
        """What is known of a layer, which is fetched first where it is elsewhere."""
        with self._lock(name):
            found = self._store.layers.find(name)
            if found is None:
                self._fetch(name)
            return found or self._store.layers.get(name)

    def toc(self, stack: Sequence[str]) -> Toc:
        """The list of what the top layer of a stack changes."""
        name = stack[-1]
        with self._lock(name):
            if name not in self._tocs:
                layer = self.layer(name)
                self._tocs[name] = self._store.layers.toc(layer) if layer.toc else self._list_tree(stack, layer)
            return self._tocs[name]

    def trees(self, stack: Sequence[str]) -> None:
        """Give every layer of a stack its tree: what a RUN mounts."""
        self.fetch_all(stack)
        for index in range(len(stack)):
            self._tree(stack[: index + 1])

    def _tree(self, stack: Sequence[str]) -> None:
        with self._lock(stack[-1]):
            layer = self.layer(stack[-1])
            if layer.has_tree:
                return
            with self._store.claims.claim(f"tree {layer.layer}") as has_waited:
                if has_waited and self._store.layers.get(layer.layer).has_tree:
                    return
                finished = self._store.temporary(".tree")
                self._sandbox().unpack(
                    finished, self._tar(layer), below=stack[:-1], origin=f"The layer {layer.diff_id or layer.layer}"
                )
                self._store.layers.set_tree(layer, finished)

    def blob(self, stack: Sequence[str]) -> Layer:
        """Give the top layer of a stack its blob (the uncompressed tar), and so its diff_id."""
        with self._lock(stack[-1]):
            layer = self.layer(stack[-1])
            if layer.has_blob:
                return layer
            if layer.original is not None:
                return self._blob_of_original(layer)
            return self._blob_of_tree(layer, self.toc(stack))

    def add(self, entries: Toc, contents: Contents, *, wants_tree: bool, below: Sequence[str]) -> Layer:
        """A new layer of these entries, as a tree or as a blob.  Contents are checked against sizes and digests."""
        if not wants_tree:
            return self._add_blob(entries, contents)
        # Directories that the layer has only implicitly get the attributes that they have below.
        self.trees(below)
        finished = self._store.temporary(".tree")
        self._sandbox().unpack(finished, tarwriter.write(entries, checked(contents)), below=below)
        layer = self._store.layers.add_tree(finished)
        return self._store.layers.set_toc(layer, entries)

    def write(self, stack: Sequence[str], toc: Toc) -> Iterator[bytes | memoryview]:
        """The canonical tar of ``toc``: entries of the top layer of a stack, with other attributes perhaps."""
        layer = self.layer(stack[-1])
        if layer.has_tree and not layer.has_blob:
            return self.tar_of_tree(self._store.layers.tree_path(layer.layer), toc)
        blob = self._store.blobs.path(self.blob(stack).diff_id)
        return tarwriter.write(toc, checked(lambda entry: read_range(blob, entry.offset, entry.size)))

    def fetch_all(self, layers: Sequence[str]) -> None:
        """Have the bytes of all these layers here."""
        missing = [layer for layer in layers if self._store.layers.find(layer) is None]
        if missing:
            from ...parallel import in_parallel

            in_parallel(lambda layer, check: self.layer(layer), missing, threads=_FETCHES)

    def read(self, stack: Sequence[str], entry: Entry) -> Iterator[bytes]:
        """The contents of a regular file that the top layer of a stack holds."""
        layer = self.layer(stack[-1])
        if layer.has_blob and entry.offset != NO_OFFSET:
            return read_range(self._store.blobs.path(layer.diff_id), entry.offset, entry.size)
        if not layer.has_tree and layer.original is not None and entry.offset != NO_OFFSET:
            return read_range(self._store.blobs.path(self.blob(stack).diff_id), entry.offset, entry.size)
        self.trees(stack)
        return self._read_tree(self._store.layers.tree_path(layer.layer), entry)

    def tar_of_tree(self, tree: str, toc: Toc) -> Iterator[bytes]:
        """The canonical tar of a tree, whose files only the sandbox may read."""
        from concurrent.futures import ThreadPoolExecutor

        read_end, write_end = os.pipe()

        def write() -> None:
            try:
                self._sandbox().write_tar(tree, toc, write_end)
            finally:
                os.close(write_end)

        with ThreadPoolExecutor(1) as pool, open(read_end, "rb", buffering=0) as pipe:
            written = pool.submit(write)
            while chunk := pipe.read(_CHUNK):
                yield chunk
            written.result()

    def _lock(self, layer: str) -> threading.RLock:
        return self._locks.setdefault(layer, threading.RLock())

    def _list_tree(self, stack: Sequence[str], layer: Layer) -> Toc:
        """The toc of a tree that a RUN left: what an overlay copied up without a change is not part of the layer."""
        found = self._sandbox().diff(self._store.layers.tree_path(layer.layer))
        for warning in found.warnings:
            self._report(Notice(text=warning, severity="warning"))
        below = self.view(stack[:-1], "the layers below")
        from .changes import made_by_run

        toc = made_by_run(found.toc, below)
        self._store.layers.set_toc(layer, toc)
        return toc

    def _tar(self, layer: Layer) -> Iterator[bytes]:
        """The uncompressed tar of a layer that has a blob or an original."""
        from ...oci.compression import MAGIC_SIZE, detect, reader

        path = self._store.blobs.path(layer.diff_id if layer.has_blob else _original(layer))
        with disk_errors("reading a layer"), open(path, "rb") as file:
            compression = detect(file.read(MAGIC_SIZE))
            file.seek(0)
            read = reader(file.read, compression, origin=f"The layer {layer.diff_id}")
            while chunk := read(_CHUNK):
                yield chunk

    def _blob_of_original(self, layer: Layer) -> Layer:
        with self._store.blobs.new() as file:
            for chunk in self._tar(layer):
                file.write(chunk)
            if str(file.digest) != layer.diff_id:
                raise ImageError(f"The layer {layer.diff_id} decompresses to {file.digest}: it is damaged.")
            self._store.blobs.keep(file)
        return self._store.layers.set_blob(layer, layer.diff_id, self._store.layers.toc(layer))

    def _blob_of_tree(self, layer: Layer, toc: Toc) -> Layer:
        with self._store.blobs.new() as file:
            for chunk in self.tar_of_tree(self._store.layers.tree_path(layer.layer), toc):
                file.write(chunk)
            diff_id = str(self._store.blobs.keep(file))
        return self._store.layers.set_blob(layer, diff_id, Toc.of(tarwriter.place(toc)))

    def _add_blob(self, toc: Toc, contents: Contents) -> Layer:
        """Write the canonical tar of a toc; the toc that is kept says where each file's contents begin in it."""
        placed: list[Entry] = []
        with self._store.blobs.new() as file:
            for entry in toc:
                offset = NO_OFFSET
                for number, chunk in enumerate(tarwriter.write_entry(entry, checked(contents))):
                    file.write(chunk)
                    if number == 0:
                        offset = file.size
                placed.append(msgspec.structs.replace(entry, offset=offset if entry.kind == FILE else NO_OFFSET))
            file.write(tarwriter.END_OF_ARCHIVE)
            diff_id = str(self._store.blobs.keep(file))
        return self._store.layers.add_blob(diff_id=diff_id, toc=Toc.of(placed))

    def _read_tree(self, tree: str, entry: Entry) -> Iterator[bytes]:
        descriptor = self._sandbox().read(tree, entry.path)
        with open(descriptor, "rb", buffering=0) as file:
            while chunk := file.read(_CHUNK):
                yield chunk


class _StoredLayer:
    """The top layer of a stack, as a ``LayeredContext`` wants it."""

    def __init__(self, faces: Faces, stack: Sequence[str]) -> None:
        self._faces = faces
        self._stack = stack

    def toc(self) -> Toc:
        return self._faces.toc(self._stack)

    def read(self, entry: Entry) -> Iterator[bytes]:
        return self._faces.read(self._stack, entry)


def checked(contents: Contents) -> tarwriter.Contents:
    """``contents`` that raise ``ContextError`` when a file does not have the size that its entry says.

    A context answers for its bytes itself (``context.base.Context``); a wrong size would shift everything that follows
    it in a tar, so it is checked again here.
    """

    def read(entry: Entry) -> Iterator[bytes | memoryview]:
        missing = entry.size
        for chunk in contents(entry):
            missing -= len(chunk)
            if missing < 0:
                break
            yield chunk
        if missing:
            hint = "build again when nothing writes to it"
            raise ContextError(f"“{entry.path}” changed while it was being read.", hint=hint)

    return read


def read_range(path: str, offset: int, size: int) -> Iterator[bytes]:
    """The bytes of a part of a file of the store; raises ``StoreError`` if it ends early."""
    with disk_errors("reading from the store"):
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        while size:
            with disk_errors("reading from the store"):
                chunk = os.pread(descriptor, min(size, _CHUNK), offset)
            if not chunk:
                raise StoreError(f"{path} in the store is truncated.", hint="run: dockerception prune --all")
            offset += len(chunk)
            size -= len(chunk)
            yield chunk
    finally:
        os.close(descriptor)


def _original(layer: Layer) -> str:
    if layer.original is None:
        raise StoreError(
            f"The layer {layer.layer} has neither a tree nor a blob.", hint="run: dockerception prune --all"
        )
    return str(Digest.parse(layer.original.digest))
