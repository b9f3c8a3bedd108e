"""Named contexts for any other driver: images as OCI layouts that buildx serves to the builder, which takes what it
does not have; directories and addresses as they are."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Final

from ...errors import UsageError
from ...reference import Reference
from ...store.images import StoredImage
from ...store.store import Store
from ...transports.base import Outgoing
from ...transports.layout import LayoutDocuments, blob_name
from ...transports.layout_directory import write_directory
from ..base import Material, Settings
from ..daemon.references import Outside
from ..embedded.bases import Bases
from ..embedded.engine import EmbeddedEngine
from . import helpers
from .contexts import IMAGE_PREFIX, REMOTE, Brought, find_named
from .emit_stages import FILES
from .images import FindImage, Found

_ID_PREFIX: Final = f"{IMAGE_PREFIX}sha256:"
"""Only our store knows an image by its id."""
_LOCAL: Final = "local:"
Start = Callable[[], EmbeddedEngine]


class LayoutContexts:
    """See ``contexts.Contexts``.  Images of our store are found by their names too, as its builds have given them."""

    def __init__(self, store: Store, settings: Settings, start: Start, find_image: FindImage) -> None:
        self._store = store
        self._settings = settings
        self._start = start
        self._find_image = find_image
        self._bases: Bases | None = None

    @property
    def materials(self) -> Sequence[Material]:
        return self._lookup.materials

    def is_named(self, name: str) -> bool:
        return bool(self._settings.build_contexts) and self._lookup.is_named(name)

    def find(self, outside: Outside) -> Found:
        return find_named(self._lookup, outside, self._find_image)

    @contextmanager
    def brought(self, outside: Sequence[Outside], work: str) -> Iterator[Brought]:
        given = [(each.name, self._value(each, work)) for each in outside]
        yield Brought(options=tuple(f"--build-context={name}={value}" for name, value in given if value))

    def bring_helper(self, program: str, work: str) -> tuple[str, tuple[str, ...]]:
        folder = tempfile.mkdtemp(prefix="helper-", dir=work)
        with open(os.path.join(folder, "busybox"), "wb") as file:
            file.write(helpers.program(program))
        return "", (f"--build-context={FILES}={folder}",)

    @property
    def _lookup(self) -> Bases:
        if self._bases is None:
            self._bases = self._start().bases(self._settings)
        return self._bases

    def _value(self, outside: Outside, work: str) -> str:
        """What ``--build-context`` of buildx says for a name; empty where the builder finds it by itself."""
        value = self._lookup.named(outside.name)
        if value is None:
            images = self._of_store(outside.name)
            return self._layout(images, work) if images else ""
        if value.startswith((IMAGE_PREFIX, *REMOTE)) and not value.startswith(_ID_PREFIX):
            return value
        if not outside.is_base and os.path.isdir(path := _path(value)):
            return path
        image = self._lookup.resolve(outside.name, outside.platform or self._settings.platform).image
        return self._layout([image], work) if image is not None else ""

    def _of_store(self, name: str) -> list[StoredImage]:
        """The images of a name, for all of its platforms."""
        if self._settings.pull:
            return []
        try:
            return self._store.images.find_all(Reference.parse(name))
        except UsageError:
            return []  # the builder says what is wrong with the name

    def _layout(self, images: Sequence[StoredImage], work: str) -> str:
        outgoing = [self._start().outgoing(image, ()) for image in images]
        folder = tempfile.mkdtemp(prefix="layout-", dir=work)
        write_directory((), folder)
        for each in outgoing:
            self._link_blobs(each, folder)
        documents = LayoutDocuments.of(outgoing, is_one=True)
        write_directory(outgoing, folder, documents=documents)
        return f"oci-layout://{folder}@{documents.entries[0].digest}"

    def _link_blobs(self, outgoing: Outgoing, folder: str) -> None:
        """Give a layout the store's own files for its layers: what is there already is not written again."""
        os.makedirs(os.path.join(folder, "blobs", "sha256"), exist_ok=True)
        for layer in outgoing.layers:
            with suppress(OSError):  # another file system, or no such file: then it is written
                os.link(self._store.blobs.path(layer.blob.digest), os.path.join(folder, blob_name(layer.blob.digest)))


def _path(value: str) -> str:
    return os.path.abspath(os.path.expanduser(value.removeprefix(_LOCAL)))
