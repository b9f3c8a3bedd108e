"""What reads bytes from elsewhere: one function each, which lets nothing but an error of ours pass over, and returns.

Property tests and the fuzzer (``scripts/fuzz.py``) call them with anything.  Memory and time are bounded from outside.
"""

from __future__ import annotations

import io
import os
import tempfile
from collections.abc import Callable
from typing import Final

from dockerception.context import ignore, tarstream
from dockerception.dockerfile import stages
from dockerception.errors import DockerceptionError
from dockerception.oci import config, manifest
from dockerception.oci.tarreader import Limits, TarReader
from dockerception.oci.toc import Toc
from dockerception.reference import Digest, Platform, Reference
from dockerception.transports import docker_archive, oci_layout
from dockerception.transports.file_image import FileImage

LIMITS: Final = Limits(max_entries=20_000, max_metadata=1 << 24, max_bytes=64 << 20, bytes_option="--max-context")
HOST: Final = Platform("linux", "amd64")

Target = Callable[[bytes], None]


def _target(read: Target) -> Target:
    def guarded(data: bytes) -> None:
        try:
            read(data)
        except DockerceptionError as error:
            str(error).encode()  # which must be printable, whatever names were in the data

    guarded.__name__ = read.__name__
    return guarded


@_target
def tar(data: bytes) -> None:
    """Every entry of a tar, with its contents."""
    reader = TarReader(io.BytesIO(data).read, origin="The layer", limits=LIMITS, may_lack_end=bool(data[:1] > b"m"))
    for entry in reader:
        sum(map(len, reader.contents())) if entry.size else None


@_target
def context(data: bytes) -> None:
    """A context on standard input, compressed or not, spooled and sealed."""
    with tempfile.TemporaryFile() as spool:
        received = tarstream.receive(
            io.BytesIO(data).read, spool=spool.fileno(), origin="The context", source="stdin", limits=LIMITS
        )
        assert Toc.decode(received.toc.encode()).encode() == received.toc.encode()


@_target
def toc(data: bytes) -> None:
    """A list of entries of the store; its rows are believed, because its digest has been checked."""
    len(Toc.decode(data))


@_target
def dockerfile(data: bytes) -> None:
    """A Dockerfile, down to its stages, and printed again."""
    stages.print_dockerfile(stages.load(data))


@_target
def ignored(data: bytes) -> None:
    """Ignore patterns, and a question to each."""
    rules = ignore.compile(ignore.read(data))
    for path in ("a", "a/b/c", "Dockerfile", ".git/x"):
        rules.is_ignored(path)
        rules.may_contain_exceptions(path)


@_target
def documents(data: bytes) -> None:
    """A manifest, an index and a config."""
    for read in (
        manifest.decode_manifest,
        lambda raw: manifest.choose(manifest.decode_index(raw), HOST),
        config.decode,
    ):
        try:
            read(data)
        except DockerceptionError as error:
            str(error).encode()


@_target
def names(data: bytes) -> None:
    """References, digests and platforms; what was understood is written and understood again."""
    text = data.decode(errors="surrogateescape")
    for parse in (Reference.parse, Digest.parse, Platform.parse):
        try:
            found = parse(text)
        except DockerceptionError:
            continue
        assert parse(str(found)) == found


@_target
def archive(data: bytes) -> None:
    """A docker-archive or an OCI archive, with the bytes of its layers."""
    descriptor, path = tempfile.mkstemp()
    try:
        with open(descriptor, "wb") as file:
            file.write(data)
        for open_images in (docker_archive.open_images, oci_layout.open_images):
            try:
                images = open_images(path)
            except DockerceptionError:
                continue
            for image in images:
                _read_layers(image)
                image.close()
    finally:
        os.unlink(path)


def _read_layers(image: FileImage) -> None:
    for index in range(len(image.layers)):
        try:
            with image.read_layer(index) as read:
                while read(1 << 20):
                    pass
        except DockerceptionError as error:
            str(error).encode()


TARGETS: Final = {each.__name__: each for each in (tar, context, toc, dockerfile, ignored, documents, names, archive)}
