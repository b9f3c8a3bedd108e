"""Images to archives and back: what ``docker save`` and ``docker load`` do, for Docker's and OCI's formats."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from contextlib import closing
from typing import Literal

from ..engines.embedded.engine import EmbeddedEngine
from ..engines.embedded.importing import import_image
from ..errors import ImageError, UsageError
from ..progress import Reporter, silent
from ..reference import Platform, Reference
from ..store.images import StoredImage
from ..store.store import Store
from ..transports import docker_archive, oci_layout
from ..transports.file_image import FileImage
from ..transports.files import TarFiles
from . import images

Format = Literal["docker", "oci"]


def save(
    store: Store,
    wanted: Sequence[str],
    sink: Callable[[bytes], None],
    *,
    format: Format = "docker",
    platform: Platform | None = None,
) -> None:
    """Write images to one archive; an image that is asked for by its id is written with all of its names.

    OCI's format has the images of a name for all platforms, or for ``platform``; Docker's for one, this machine's by
    default.  ``sink`` gets the bytes in order; nothing has reached it yet when an image is not found.
    """
    chosen: dict[str, tuple[StoredImage, list[Reference]]] = {}
    for text in wanted:
        find = images.get_all if format == "oci" else _only
        for stored in find(store, text, platform):
            names = chosen.setdefault(stored.image, (stored, []))[1]
            names += [name for name in _names(store, stored, text) if name not in names]
    with closing(EmbeddedEngine(store)) as engine:
        outgoing = [engine.outgoing(stored, tuple(names)) for stored, names in chosen.values()]
        (docker_archive if format == "docker" else oci_layout).write(outgoing, sink)


def load(
    store: Store, path: str, report: Reporter = silent, *, origin: str = ""
) -> list[tuple[StoredImage, tuple[Reference, ...]]]:
    """Read all images of an archive, or of a directory with an OCI layout, into the store.

    ``origin`` is what messages call it, where that is not its path.  Returns them with the names that they got.
    Raises ``ImageError`` for what is neither, or is damaged.
    """
    opened = _open(store, path, origin)
    try:
        loaded = [
            (import_image(store, image, report=report), tuple(Reference.parse(name) for name in image.names))
            for image in opened
        ]
    finally:
        for image in opened:
            image.close()
    for name in dict.fromkeys(name for _, names in loaded for name in names):
        # Of several images under one name, for one platform, the last one counts, as with Docker.
        by_platform = {image.platform: image for image, names in loaded if name in names}
        store.images.name_all(list(by_platform.values()), [name])
    return loaded


def _only(store: Store, text: str, platform: Platform | None) -> list[StoredImage]:
    return [images.get(store, text, platform)]


def _open(store: Store, path: str, origin: str) -> tuple[FileImage, ...]:
    """What is both (as newer Dockers write it) is read as Docker's archive: that part has the names as typed."""
    if not os.path.isdir(path):
        try:
            return docker_archive.open_images(path, scratch=store.scratch, origin=origin)
        except ImageError:
            if not _is_layout(store, path, origin):
                raise
    return oci_layout.open_images(path, scratch=store.scratch, origin=origin)


def _is_layout(store: Store, path: str, origin: str) -> bool:
    files = TarFiles(path, scratch=store.scratch, origin=origin)
    try:
        return files.size("manifest.json") is None and files.size("index.json") is not None
    finally:
        files.close()


def _names(store: Store, stored: StoredImage, text: str) -> list[Reference]:
    names = [Reference.parse(name) for name in store.images.names_of(stored.image)]
    try:
        reference = Reference.parse(text)
    except UsageError:
        return names
    return [reference] if reference in names else names
