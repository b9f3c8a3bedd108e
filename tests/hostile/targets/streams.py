"""Tars and archives: contexts, layers, lists of entries, image archives."""

from __future__ import annotations

import hashlib
import io
import os
import tempfile
from collections.abc import Iterable
from typing import Final

import msgspec

from dockerception.context import tarstream
from dockerception.oci import compression, tarwriter
from dockerception.oci.entry import FILE, NO_OFFSET, Entry
from dockerception.oci.stream_limits import Limits
from dockerception.oci.tarreader import TarReader
from dockerception.oci.toc import Toc
from dockerception.oci.whiteouts import read_layer
from dockerception.transports import docker_archive, oci_layout
from dockerception.transports.file_image import FileImage
from hostile.targets.guard import guarded, refused

LIMITS: Final = Limits(max_entries=20_000, max_metadata=1 << 24, max_bytes=64 << 20, bytes_option="--max-context")
_SMALL: Final = 1 << 20


@guarded
def tar(data: bytes) -> None:
    """Every entry of a tar, with its contents."""
    reader = TarReader(io.BytesIO(data).read, origin="The layer", limits=LIMITS, may_lack_end=bool(data[:1] > b"m"))
    for entry in reader:
        sum(map(len, reader.contents())) if entry.size else None


@guarded
def context(data: bytes) -> None:
    """A context on standard input, compressed or not, spooled and sealed."""
    with tempfile.TemporaryFile() as spool:
        received = tarstream.receive(
            io.BytesIO(data).read, spool=spool.fileno(), origin="The context", source="stdin", limits=LIMITS
        )
        assert Toc.decode(received.toc.encode()).encode() == received.toc.encode()


@guarded
def layer(data: bytes) -> None:
    """A layer tar, compressed or not; what our writer makes of its list is read back as the same list."""
    read = compression.reader(io.BytesIO(data).read, compression.detect(data), origin="The layer")
    listed = _listed(read)
    if listed.size > _SMALL:
        return
    zeros = Toc.of(map(_of_zeros, listed))
    written = b"".join(tarwriter.write(zeros, lambda entry: [bytes(entry.size)]))
    again = _listed(io.BytesIO(written).read)
    assert [_without_offset(entry) for entry in again] == [_without_offset(entry) for entry in zeros]
    places = {entry.path: entry.offset for entry in tarwriter.place(zeros) if entry.kind == FILE}
    assert places == {entry.path: entry.offset for entry in again if entry.kind == FILE}


def _listed(read: tarstream.Read) -> Toc:
    reader = TarReader(read, origin="The layer", limits=LIMITS, may_lack_end=True)
    return read_layer(reader, lambda tar: hashlib.sha256(b"".join(tar.contents())).digest())


def _of_zeros(entry: Entry) -> Entry:
    """The same file with zeros in it, whose digest is known."""
    if entry.kind != FILE:
        return entry
    return msgspec.structs.replace(entry, digest=hashlib.sha256(bytes(entry.size)).digest())


def _without_offset(entry: Entry) -> Entry:
    return msgspec.structs.replace(entry, offset=NO_OFFSET)


@guarded
def toc(data: bytes) -> None:
    """A list of entries of the store; its rows are believed, because its digest has been checked."""
    len(Toc.decode(data))


@guarded
def archive(data: bytes) -> None:
    """A docker-archive or an OCI archive, with the bytes of its layers."""
    descriptor, path = tempfile.mkstemp()
    try:
        with open(descriptor, "wb") as file:
            file.write(data)
        for open_images in (docker_archive.open_images, oci_layout.open_images):
            refused(lambda _, opening=open_images: _read_all(opening(path)), data)  # type: ignore[misc]
    finally:
        os.unlink(path)


def _read_all(images: Iterable[FileImage]) -> None:
    for image in images:
        for index in range(len(image.layers)):
            refused(lambda _, of=image, number=index: _read_layer(of, number), b"")  # type: ignore[misc]
        image.close()


def _read_layer(image: FileImage, index: int) -> None:
    with image.read_layer(index) as read:
        while read(1 << 20):
            pass
