"""Images of the store on their way out: as archives, layouts, file trees, into a daemon, or into a registry."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from ...errors import UsageError
from ...progress import Notice, Reporter
from ...reference import Reference
from ...store.images import StoredImage
from ...store.store import Store
from ...transports.base import Outgoing
from .. import outputs
from ..base import Exported, Output, Result
from ..destinations import destination
from ..outputs import Packing
from .faces import Faces
from .packing import pack
from .steps import RunningStep


def outgoing(store: Store, faces: Faces, image: StoredImage, names: tuple[Reference, ...]) -> Outgoing:
    """An image ready for a transport, its layers as uncompressed blobs (made now where they are missing)."""
    return pack(store, faces, image, names, Packing(compression="uncompressed", is_forced=True))


def export(
    store: Store,
    faces: Faces,
    images: Sequence[StoredImage],
    result: Result,
    output: Output,
    report: Reporter,
    step: RunningStep,
) -> tuple[Exported, ...]:
    """Write images, one a platform, to where an output says; returns the manifests that it has there, none for what has
    no manifests.  ``result`` has the names, and the time of ``rewrite-timestamp``.

    A file appears whole or not at all.  Raises ``UsageError`` for an output that makes no sense and ``TransportError``
    where it can't be written.
    """
    outputs.check(output)
    outputs.check_platforms([output], len(images))
    names = outputs.names_of(output, result.names)
    if output.type in ("image", "registry"):
        return _push(store, faces, images, names, output, report, step) if outputs.is_push(output) else ()
    is_load = output.type == "load" or (output.type == "docker" and not output.destination)
    if not output.destination and not is_load:
        raise UsageError(
            f"The output type={output.type} needs a destination.", hint="add dest=PATH, or dest=- for stdout"
        )
    if output.type in ("tar", "local"):
        _export_files(faces, images, output, report, result.epoch)
        return ()
    packed = [pack(store, faces, image, names, _layout_packing(output)) for image in images]
    if output.type == "oci":
        return _export_layout(packed, output)
    from ...transports import docker_archive, docker_daemon

    if is_load:
        docker_daemon.load(docker_archive.chunks(packed[0]))
    else:
        with destination(output.destination) as sink:
            docker_archive.write(packed[0], sink)
    return ()


def _push(
    store: Store,
    faces: Faces,
    images: Sequence[StoredImage],
    names: tuple[Reference, ...],
    output: Output,
    report: Reporter,
    step: RunningStep,
) -> tuple[Exported, ...]:
    from ...transports.registry.hosts import Settings
    from ...transports.registry.session import Registries
    from .pushing import push_images

    if not names:
        raise UsageError("There is no name to push to.", hint="give -t REGISTRY/NAME, or name=… in the output")
    packing = outputs.read_packing(output.attributes)
    made = []
    insecure = tuple(name.domain for name in names) if outputs.has_flag(output, "registry.insecure") else ()
    with Registries(settings=Settings.from_environment(insecure=insecure)) as registries:
        for name in names:
            pushed = push_images(store, faces, images, name, packing, report=report, step=step, registries=registries)
            report(Notice(text=f"Pushed {name.familiar}@{pushed.digest}"))
            leads = str(name) if name.tag else f"{name}@{pushed.digest}"
            made.append(Exported(digest=pushed.digest, media_type=pushed.media_type, size=pushed.size, name=leads))
    return tuple(made)


def _layout_packing(output: Output) -> Packing:
    packing = outputs.read_packing(output.attributes, default="uncompressed")
    # Without a word about compression an archive has plain layers, whatever they came as.
    given = {name for name, _ in output.attributes}
    return packing if "compression" in given else msgspec.structs.replace(packing, is_forced=True)


def _export_layout(images: Sequence[Outgoing], output: Output) -> tuple[Exported, ...]:
    from ...transports import layout_directory, oci_layout
    from ...transports.layout import LayoutDocuments

    documents = LayoutDocuments.of(images, is_one=True)
    if not outputs.read_flag("tar", dict(output.attributes).get("tar", "true")):
        layout_directory.write_directory(images, output.destination, documents=documents)
    else:
        with destination(output.destination) as sink:
            oci_layout.write(images, sink, documents=documents)
    made = documents.entries[0]
    names = [str(name) for name in images[0].names] or [""]
    return tuple(Exported(digest=made.digest, media_type=made.media_type, size=made.size, name=name) for name in names)


def _export_files(
    faces: Faces, images: Sequence[StoredImage], output: Output, report: Reporter, epoch: int | None
) -> None:
    """The files of an image; those of several in a directory each, as with ``docker buildx build``."""
    from ...context.base import Context
    from ...context.folders import Folders
    from ...transports import rootfs

    views = {image.platform.replace("/", "_"): faces.view(image.layers, "the image") for image in images}
    files: Context = next(iter(views.values())) if len(views) == 1 else Folders(views, origin="the images")
    if output.type == "tar":
        with destination(output.destination) as sink:
            rootfs.write_tar(files, sink, mtime=epoch)
    else:
        for note in rootfs.write_directory(files, output.destination, mtime=epoch):
            report(Notice(text=note))
