"""Images of the store on their way out: as archives, layouts, file trees, or into a daemon."""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from ...errors import TransportError, UsageError
from ...oci import media_types
from ...oci.manifest import Descriptor
from ...progress import Notice, Reporter
from ...reference import Reference
from ...store.images import StoredImage
from ...store.store import Store
from ...transports.base import Outgoing, OutgoingLayer
from ..base import Output
from .faces import Faces, read_range

Sink = Callable[[bytes], None]
TYPES: Final = ("docker", "oci", "tar", "local", "image", "load")


def outgoing(store: Store, faces: Faces, image: StoredImage, names: tuple[Reference, ...]) -> Outgoing:
    """An image ready for a transport, its layers as uncompressed blobs (made now where they are missing)."""
    layers = []
    for index in range(len(image.layers)):
        layer = faces.blob(image.layers[: index + 1])
        path = store.blobs.path(layer.diff_id)
        size = os.path.getsize(path)
        layers.append(
            OutgoingLayer(
                diff_id=layer.diff_id,
                blob=Descriptor(media_type=media_types.OCI_LAYER, digest=layer.diff_id, size=size),
                read=_reader(path, size),
            )
        )
    return Outgoing(config_bytes=image.config_bytes, layers=tuple(layers), names=names, platform=image.config.platform)


def export(
    store: Store,
    faces: Faces,
    image: StoredImage,
    names: tuple[Reference, ...],
    output: Output,
    report: Reporter,
) -> None:
    """Write an image to where an output says.  A file appears whole or not at all.

    Raises ``UsageError`` for an output that makes no sense and ``TransportError`` where it can't be written.
    """
    if output.type == "image":
        return
    if output.type == "load" or (output.type == "docker" and not output.destination):
        from ...transports import docker_daemon

        docker_daemon.load(outgoing(store, faces, image, names))
        return
    if not output.destination:
        raise UsageError(
            f"The output type={output.type} needs a destination.", hint="add dest=PATH, or dest=- for stdout"
        )
    if output.type == "docker":
        from ...transports import docker_archive

        with destination(output.destination) as sink:
            docker_archive.write(outgoing(store, faces, image, names), sink)
    elif output.type == "oci":
        from ...transports import layout_directory, oci_layout

        if dict(output.attributes).get("tar", "true") in ("false", "0"):
            layout_directory.write_directory(outgoing(store, faces, image, names), output.destination)
            return
        with destination(output.destination) as sink:
            oci_layout.write(outgoing(store, faces, image, names), sink)
    else:
        _export_files(faces, image, output, report)


def _export_files(faces: Faces, image: StoredImage, output: Output, report: Reporter) -> None:
    from ...transports import rootfs

    files = faces.view(image.layers, "the image")
    if output.type == "tar":
        with destination(output.destination) as sink:
            rootfs.write_tar(files, sink)
    elif output.type == "local":
        for note in rootfs.write_directory(files, output.destination):
            report(Notice(text=note))
    else:
        raise UsageError(f"“{output.type}” is not an output type.", hint=f"choose one of {', '.join(TYPES)}")


@contextmanager
def destination(path: str) -> Iterator[Sink]:
    """Where to write: ``-`` is stdout; a regular file is replaced when the block ends without an exception."""
    if path == "-":
        yield _write_all(sys.stdout.fileno(), "standard output")
        return
    try:
        is_special = not stat.S_ISREG(os.stat(path).st_mode)
    except FileNotFoundError:
        is_special = False
    except OSError as error:
        raise _cannot_write(path, error) from error
    target = path if is_special else f"{path}.{os.getpid()}.partial"
    try:
        descriptor = os.open(target, os.O_WRONLY | os.O_CLOEXEC | (0 if is_special else os.O_CREAT | os.O_TRUNC), 0o644)
    except OSError as error:
        raise _cannot_write(path, error) from error
    try:
        yield _write_all(descriptor, path)
        if not is_special:
            os.replace(target, path)
    except BaseException:
        if not is_special:
            os.unlink(target)
        raise
    finally:
        os.close(descriptor)


def _write_all(descriptor: int, name: str) -> Sink:
    def write(data: bytes) -> None:
        rest = memoryview(data)
        try:
            while rest:
                rest = rest[os.write(descriptor, rest) :]
        except BrokenPipeError:
            raise
        except OSError as error:
            raise _cannot_write(name, error) from error

    return write


def _cannot_write(path: str, error: OSError) -> TransportError:
    return TransportError(f"{path} can't be written: {error.strerror}.")


def _reader(path: str, size: int) -> Callable[[], Iterator[bytes]]:
    return lambda: read_range(path, 0, size)
