"""Images of the store on their way out: as archives, layouts, file trees, into a daemon, or into a registry."""

from __future__ import annotations

import errno
import os
import stat
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Final

import msgspec

from ...errors import DiskFullError, DockerceptionError, TransportError, UsageError
from ...progress import Notice, Reporter
from ...reference import Reference
from ...store.images import StoredImage
from ...store.store import Store
from ...transports.base import Outgoing
from .. import outputs
from ..base import Exported, Output, Result
from ..outputs import Packing
from .faces import Faces
from .packing import pack
from .steps import RunningStep

Sink = Callable[[bytes], None]
TYPES: Final = ("docker", "oci", "tar", "local", "image", "registry", "load")


def outgoing(store: Store, faces: Faces, image: StoredImage, names: tuple[Reference, ...]) -> Outgoing:
    """An image ready for a transport, its layers as uncompressed blobs (made now where they are missing)."""
    return pack(store, faces, image, names, Packing(compression="uncompressed", is_forced=True))


def export(
    store: Store,
    faces: Faces,
    image: StoredImage,
    result: Result,
    output: Output,
    report: Reporter,
    step: RunningStep,
) -> tuple[Exported, ...]:
    """Write an image, published as ``result``, to where an output says; returns the manifests that it has there, none
    for what has no manifests.

    A file appears whole or not at all.  Raises ``UsageError`` for an output that makes no sense and ``TransportError``
    where it can't be written.
    """
    outputs.check(output)
    names = outputs.names_of(output, result.names)
    if output.type in ("image", "registry"):
        return _push(store, faces, image, names, output, report, step) if outputs.is_push(output) else ()
    if output.type == "load" or (output.type == "docker" and not output.destination):
        from ...transports import docker_archive, docker_daemon

        docker_daemon.load(docker_archive.chunks(pack(store, faces, image, names, _layout_packing(output))))
        return ()
    if not output.destination:
        raise UsageError(
            f"The output type={output.type} needs a destination.", hint="add dest=PATH, or dest=- for stdout"
        )
    if output.type == "docker":
        from ...transports import docker_archive

        with destination(output.destination) as sink:
            docker_archive.write(pack(store, faces, image, names, _layout_packing(output)), sink)
    elif output.type == "oci":
        return _export_layout(pack(store, faces, image, names, _layout_packing(output)), output)
    else:
        _export_files(faces, image, output, report, result.epoch)
    return ()


def _push(
    store: Store,
    faces: Faces,
    image: StoredImage,
    names: tuple[Reference, ...],
    output: Output,
    report: Reporter,
    step: RunningStep,
) -> tuple[Exported, ...]:
    from ...transports.registry.hosts import Settings
    from ...transports.registry.session import Registries
    from .pushing import push_image

    if not names:
        raise UsageError("There is no name to push to.", hint="give -t REGISTRY/NAME, or name=… in the output")
    packing = outputs.read_packing(output.attributes)
    if outputs.has_flag(output, "push-by-digest"):
        names = tuple(dict.fromkeys(msgspec.structs.replace(name, tag="") for name in names))
    made = []
    insecure = tuple(name.domain for name in names) if outputs.has_flag(output, "registry.insecure") else ()
    with Registries(settings=Settings.from_environment(insecure=insecure)) as registries:
        for name in names:
            pushed = push_image(store, faces, image, name, packing, report=report, step=step, registries=registries)
            report(Notice(text=f"Pushed {name.familiar}@{pushed.digest}"))
            made.append(Exported(digest=pushed.digest, media_type=pushed.media_type, size=pushed.size, name=str(name)))
    return tuple(made)


def _layout_packing(output: Output) -> Packing:
    packing = outputs.read_packing(output.attributes, default="uncompressed")
    # Without a word about compression an archive has plain layers, whatever they came as.
    given = {name for name, _ in output.attributes}
    return packing if "compression" in given else msgspec.structs.replace(packing, is_forced=True)


def _export_layout(image: Outgoing, output: Output) -> tuple[Exported, ...]:
    from ...transports import layout_directory, oci_layout
    from ...transports.image_manifest import image_manifest

    if not outputs.read_flag("tar", dict(output.attributes).get("tar", "true")):
        layout_directory.write_directory(image, output.destination)
    else:
        with destination(output.destination) as sink:
            oci_layout.write(image, sink)
    made = image_manifest(image).descriptor
    names = [str(name) for name in image.names] or [""]
    return tuple(Exported(digest=made.digest, media_type=made.media_type, size=made.size, name=name) for name in names)


def _export_files(faces: Faces, image: StoredImage, output: Output, report: Reporter, epoch: int | None) -> None:
    from ...transports import rootfs

    files = faces.view(image.layers, "the image")
    if output.type == "tar":
        with destination(output.destination) as sink:
            rootfs.write_tar(files, sink, mtime=epoch)
    elif output.type == "local":
        for note in rootfs.write_directory(files, output.destination, mtime=epoch):
            report(Notice(text=note))
    else:
        raise UsageError(f"“{output.type}” is not an output type.", hint=f"choose one of {', '.join(TYPES)}")


@contextmanager
def destination(path: str) -> Iterator[Sink]:
    """Where to write: ``-`` is stdout; a regular file is replaced when the block ends without an exception."""
    if path == "-":
        yield _write_all(sys.stdout.fileno(), "standard output")
    elif _is_special(path):
        with _opened(path, os.O_WRONLY) as descriptor:
            yield _write_all(descriptor, path)
    else:
        partial = f"{path}.{os.getpid()}.partial"
        try:
            with _opened(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC) as descriptor:
                yield _write_all(descriptor, path)
            os.replace(partial, path)
        except BaseException:
            with suppress(FileNotFoundError):
                os.unlink(partial)
            raise


def _is_special(path: str) -> bool:
    """Whether there is something else than a regular file: a pipe or a device is written to as it is."""
    try:
        return not stat.S_ISREG(os.stat(path).st_mode)
    except FileNotFoundError:
        return False
    except OSError as error:
        raise _cannot_write(path, error) from error


@contextmanager
def _opened(path: str, flags: int) -> Iterator[int]:
    try:
        descriptor = os.open(path, flags | os.O_CLOEXEC, 0o666)
    except OSError as error:
        raise _cannot_write(path, error) from error
    try:
        yield descriptor
    except BaseException:
        os.close(descriptor)
        raise
    try:
        os.close(descriptor)  # where quotas and network file systems say that it did not fit
    except OSError as error:
        raise _cannot_write(path, error) from error


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


def _cannot_write(path: str, error: OSError) -> DockerceptionError:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return DiskFullError(f"{path} can't be written: the disk is full.", hint="free some space there")
    return TransportError(f"{path} can't be written: {error.strerror}.")
