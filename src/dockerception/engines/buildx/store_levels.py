"""Whole images from builders that keep none for others: they come as archives, and into our store."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Mapping, Sequence

import msgspec

from ...context.base import Context
from ...oci.manifest import Descriptor
from ...reference import Reference
from ...store.images import StoredImage
from ...store.store import Store
from ..base import Built, Exported, Level, Output, Result, Settings
from ..directories import open_directory
from ..embedded.engine import EmbeddedEngine
from ..outputs import is_push, names_of
from .contexts import Contexts
from .solving import Prepared, Solving, order, prepare

_ARCHIVE = "image.tar"


class _Handle(msgspec.Struct, frozen=True):
    prepared: Prepared
    image: StoredImage


class _Metadata(msgspec.Struct, frozen=True, kw_only=True):
    """What buildx writes of an image that it has pushed."""

    descriptor: Descriptor = msgspec.field(name="containerimage.descriptor")


class StoreLevels:
    """Builds levels and gives their images out, as ``engines.base.Engine`` has it."""

    def __init__(
        self,
        solving: Solving,
        store: Store,
        embedded: EmbeddedEngine,
        new_contexts: Callable[[Settings], Contexts],
    ) -> None:
        self._solving = solving
        self._store = store
        self._embedded = embedded
        self._new_contexts = new_contexts
        self._published: dict[str, tuple[_Handle, Mapping[str, str]]] = {}
        self._with_labels: dict[tuple[str, tuple[tuple[str, str], ...]], StoredImage] = {}

    def build(self, level: Level) -> Built:
        """Build one level and fetch its image."""
        prepared = prepare(level, self._new_contexts(level.settings))
        image, is_cached = self._fetch(prepared, {})
        return Built(
            level=level.index,
            key=image.image,
            config=image.config,
            is_cached=is_cached,
            materials=tuple(prepared.contexts.materials),
            unused_build_args=prepared.references.unused_build_args,
            handle=_Handle(prepared, image),
        )

    def directory(self, built: Built, path: str) -> Context:
        """What is in a directory of the image."""
        image = _handle(built).image
        return open_directory(self._embedded.image_files(image), path)

    def publish(self, built: Built, labels: Mapping[str, str]) -> Result:
        """The image, with these labels, in our store."""
        image = self._labelled(_handle(built), labels) if labels else _handle(built).image
        self._published[image.image] = (_handle(built), labels)
        settings = _handle(built).prepared.level.settings
        epoch = settings.epoch if settings.is_epoch_fixed else None
        return Result(image=image.image, size=self._size(image), layers=image.layers, epoch=epoch)

    def name(self, results: Sequence[Result], names: Sequence[Reference]) -> None:
        """Give images of our store names."""
        self._embedded.name(results, names)

    def size(self, built: Built) -> int:
        """The sum of its layers in bytes, uncompressed."""
        return self._size(_handle(built).image)

    def export(self, results: Sequence[Result], output: Output) -> tuple[Exported, ...]:
        """Write images of our store to where an output says; one that goes to a registry is pushed by the builder."""
        result = results[0]
        published = self._published.get(result.image)
        if len(results) > 1 or published is None or not is_push(output):
            return self._embedded.export(results, output)
        handle, labels = published
        pushed = []
        # One image has one kind of times: what another output has said counts here, too.
        said = {key: value for key, value in output.attributes if key not in ("name", "push")}
        if handle.prepared.level.settings.rewrites_times:
            said["rewrite-timestamp"] = "true"
        others = [f"{key}={value}" for key, value in said.items()]
        for name in names_of(output, result.names):
            option = ",".join(["--output=type=image", "push=true", f"name={name}", *others])
            pushed.append(self._push(msgspec.structs.replace(handle.prepared, forces=False), labels, option, name))
        return tuple(pushed)

    def close(self) -> None:
        """Close what has brought images into the store and out of it."""
        self._embedded.close()

    def _fetch(self, prepared: Prepared, labels: Mapping[str, str]) -> tuple[StoredImage, bool]:
        """The image of a level, and whether all of its steps were cached."""
        with tempfile.TemporaryDirectory(prefix="image-", dir=self._store.scratch) as folder:
            archive = os.path.join(folder, _ARCHIVE)
            # Layers that the builder made are sent as they are: they are compressed when they leave our store.
            output = f"--output=type=oci,dest={archive},compression=uncompressed"
            rewriting = ",rewrite-timestamp=true" if prepared.level.settings.rewrites_times else ""
            is_cached = self._solve(prepared, labels, output + rewriting)
            return self._imported(archive, prepared.level.settings), is_cached

    def _push(self, prepared: Prepared, labels: Mapping[str, str], option: str, name: Reference) -> Exported:
        """Have the builder push a level; returns what it says of the manifest."""
        with tempfile.TemporaryDirectory(prefix="push-", dir=self._store.scratch) as folder:
            path = os.path.join(folder, "metadata.json")
            self._solve(prepared, labels, option, f"--metadata-file={path}")
            with open(path, "rb") as file:
                made = msgspec.json.decode(file.read(), type=_Metadata).descriptor
        leads = str(name) if name.tag else f"{name}@{made.digest}"
        return Exported(digest=made.digest, media_type=made.media_type, size=made.size, name=leads)

    def _solve(self, prepared: Prepared, labels: Mapping[str, str], *output: str) -> bool:
        """Build a level to an output, and return whether all of its steps were cached."""
        with (
            tempfile.TemporaryDirectory(prefix="level-", dir=self._store.scratch) as work,
            self._solving.solvable(prepared, work) as solvable,
        ):
            build = msgspec.structs.replace(order(prepared, solvable.text), labels=labels)
            progress = self._solving.progress(solvable)
            self._solving.run(self._solving.command(solvable, build, work, *output), progress)
            return not progress.has_executed

    def _imported(self, archive: str, settings: Settings) -> StoredImage:
        from ...transports import oci_layout

        source = oci_layout.open_image(archive, platform=settings.platform, scratch=self._store.scratch)
        try:
            return self._embedded.import_image(source)
        finally:
            source.close()

    def _labelled(self, handle: _Handle, labels: Mapping[str, str]) -> StoredImage:
        key = (handle.image.image, tuple(sorted(labels.items())))
        if key not in self._with_labels:
            prepared = msgspec.structs.replace(handle.prepared, forces=False)
            self._with_labels[key] = self._fetch(prepared, labels)[0]
        return self._with_labels[key]

    def _size(self, image: StoredImage) -> int:
        return sum(self._store.layers.get(layer).size for layer in image.layers)


def _handle(built: Built) -> _Handle:
    if not isinstance(built.handle, _Handle):
        raise TypeError("this level was built by another engine")
    return built.handle
