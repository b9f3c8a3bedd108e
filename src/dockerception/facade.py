"""The Python API: ``build``, ``context`` and ``assemble`` with typed options, and the ``Image`` that they give.

An option means what the command line's option of that name means (docs/reference/cli.md).
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import BinaryIO

import msgspec

from . import api
from .api import EmittedContext, LevelSummary
from .engines.base import Network, Output
from .oci.config import ImageConfig
from .progress import Reporter, silent
from .reference import Platform, Reference
from .request import DEFAULT_EMIT_TIMEOUT, DEFAULT_MAX_CONTEXT, BuildRequest, Isolation
from .store.images import StoredImage
from .store.store import Store

__all__ = ["EmittedContext", "Image", "LayerInfo", "LevelSummary", "assemble", "build", "context"]

Source = str | os.PathLike[str] | BinaryIO | None
"""A directory; or a binary file object with a tar stream; or None for an empty context."""


class LayerInfo(msgspec.Struct, frozen=True):
    """A layer: the digest of its uncompressed tar, and the size of its files in bytes."""

    diff_id: str
    size: int


class Image:
    """An image of the store.  The value does not change; methods that act open the store again.

    ``id`` is the digest of the image's config.  ``builders`` are the levels that this build went through before.
    """

    def __init__(self, stored: StoredImage, *, store: str, builders: Sequence[LevelSummary] = ()) -> None:
        self.id = stored.image
        self.builders = tuple(builders)
        self._stored = stored
        self._store = store

    def __repr__(self) -> str:
        return f"<Image {self.id[:19]} {', '.join(self.names)}>"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Image) and other.id == self.id

    def __hash__(self) -> int:
        return hash(self.id)

    @property
    def config(self) -> ImageConfig:
        """The image's config (image-spec config.md)."""
        return self._stored.config

    @property
    def platform(self) -> Platform:
        """What the image runs on."""
        return self.config.platform

    @property
    def names(self) -> tuple[str, ...]:
        """The names that lead to the image now, as a person writes them."""
        with self._open() as store:
            return tuple(Reference.parse(name).familiar for name in store.images.names_of(self.id))

    @property
    def layers(self) -> tuple[LayerInfo, ...]:
        """The layers, bottom first."""
        with self._open() as store:
            found = [store.layers.get(layer) for layer in self._stored.layers]
        diff_ids = self.config.rootfs.diff_ids
        return tuple(LayerInfo(diff_id, layer.size) for diff_id, layer in zip(diff_ids, found, strict=True))

    @property
    def size(self) -> int:
        """The size of the files in all layers, in bytes, uncompressed."""
        return sum(layer.size for layer in self.layers)

    def tag(self, name: str) -> None:
        """Give the image one more name; another image that had it loses it."""
        with self._open() as store:
            store.images.name(self._stored, Reference.parse(name))

    def save(self, destination: str | os.PathLike[str], *, type: str = "docker") -> None:
        """Write the image to a file or directory; ``type`` is docker, oci, tar or local, as in ``--output``."""
        from .engines.base import Result
        from .engines.embedded.engine import EmbeddedEngine

        with self._open() as store:
            engine = EmbeddedEngine(store)
            try:
                names = tuple(Reference.parse(name) for name in store.images.names_of(self.id))
                result = Result(image=self.id, size=0, names=names, layers=self._stored.layers)
                engine.export(result, Output(type=type, destination=os.fspath(destination)))
            finally:
                engine.close()

    def _open(self) -> Store:
        return Store(self._store)


def build(
    source: Source = ".",
    *,
    dockerfile: str = "",
    tags: Sequence[str] = (),
    build_args: Mapping[str, str] | None = None,
    build_contexts: Mapping[str, str] | None = None,
    target: str = "",
    labels: Mapping[str, str] | None = None,
    no_cache: bool = False,
    no_cache_filter: Sequence[str] = (),
    pull: bool = False,
    network: Network = "default",
    platform: str = "",
    outputs: Sequence[Output] = (),
    command: Sequence[str] = (),
    builder_tag: str | None = None,
    runtime_file: str = "",
    runtime_dockerfile: str = "",
    emit_timeout: float = DEFAULT_EMIT_TIMEOUT,
    max_context: int = DEFAULT_MAX_CONTEXT,
    epoch: int | None = None,
    isolation: Isolation = "auto",
    runtime: str = "",
    store: str = "",
    report: Reporter = silent,
) -> Image:
    """Run the whole chain: build the builder, run it, build the runtime image from what it emits.

    ``command`` replaces the builder's CMD.  ``emit_timeout`` is in seconds, ``max_context`` in bytes, ``epoch`` in
    seconds since 1970 (default: SOURCE_DATE_EPOCH, else now).  ``report`` gets progress events, from several threads.
    Raises a subclass of ``DockerceptionError``; then nothing is named and nothing written.
    """
    path, read_stdin = _opened(source)
    request = BuildRequest(
        source=path,
        read_stdin=read_stdin,
        dockerfile=dockerfile,
        tags=tuple(Reference.parse(tag) for tag in tags),
        build_args=build_args or {},
        build_contexts=build_contexts or {},
        target=target,
        labels=labels or {},
        no_cache=no_cache,
        no_cache_filter=frozenset(no_cache_filter),
        pull=pull,
        network=network,
        platform=Platform.parse(platform) if platform else None,
        outputs=tuple(outputs),
        command=tuple(command),
        builder_tag=builder_tag,
        runtime_file=runtime_file,
        runtime_dockerfile=runtime_dockerfile,
        emit_timeout=emit_timeout,
        max_context=max_context,
        epoch=epoch,
        isolation=isolation,
        runtime=runtime,
        store=store,
    )
    return _image(api.build(request, report), store)


def assemble(
    source: Source = ".",
    *,
    dockerfile: str = "",
    tags: Sequence[str] = (),
    build_args: Mapping[str, str] | None = None,
    build_contexts: Mapping[str, str] | None = None,
    target: str = "",
    labels: Mapping[str, str] | None = None,
    no_cache: bool = False,
    no_cache_filter: Sequence[str] = (),
    pull: bool = False,
    network: Network = "default",
    platform: str = "",
    outputs: Sequence[Output] = (),
    max_context: int = DEFAULT_MAX_CONTEXT,
    epoch: int | None = None,
    isolation: Isolation = "auto",
    runtime: str = "",
    store: str = "",
    report: Reporter = silent,
) -> Image:
    """Build one image from one context, as ``docker build`` does.  Options and errors as for ``build``."""
    path, read_stdin = _opened(source)
    request = BuildRequest(
        source=path,
        read_stdin=read_stdin,
        dockerfile=dockerfile,
        tags=tuple(Reference.parse(tag) for tag in tags),
        build_args=build_args or {},
        build_contexts=build_contexts or {},
        target=target,
        labels=labels or {},
        no_cache=no_cache,
        no_cache_filter=frozenset(no_cache_filter),
        pull=pull,
        network=network,
        platform=Platform.parse(platform) if platform else None,
        outputs=tuple(outputs),
        max_context=max_context,
        epoch=epoch,
        isolation=isolation,
        runtime=runtime,
        store=store,
    )
    return _image(api.assemble(request, report), store)


@contextmanager
def context(
    source: Source = ".",
    *,
    dockerfile: str = "",
    build_args: Mapping[str, str] | None = None,
    build_contexts: Mapping[str, str] | None = None,
    target: str = "",
    no_cache: bool = False,
    no_cache_filter: Sequence[str] = (),
    pull: bool = False,
    network: Network = "default",
    command: Sequence[str] = (),
    emit_timeout: float = DEFAULT_EMIT_TIMEOUT,
    max_context: int = DEFAULT_MAX_CONTEXT,
    epoch: int | None = None,
    isolation: Isolation = "auto",
    runtime: str = "",
    store: str = "",
    report: Reporter = silent,
) -> Iterator[EmittedContext]:
    """Build the builder, run it, and give what it emits, valid inside the ``with`` block.

    Options and errors as for ``build``.
    """
    path, read_stdin = _opened(source)
    request = BuildRequest(
        source=path,
        read_stdin=read_stdin,
        dockerfile=dockerfile,
        build_args=build_args or {},
        build_contexts=build_contexts or {},
        target=target,
        no_cache=no_cache,
        no_cache_filter=frozenset(no_cache_filter),
        pull=pull,
        network=network,
        command=tuple(command),
        emit_timeout=emit_timeout,
        max_context=max_context,
        epoch=epoch,
        isolation=isolation,
        runtime=runtime,
        store=store,
    )
    with api.context(request, report) as emitted:
        yield emitted


def _opened(source: Source) -> tuple[str, Callable[[int], bytes] | None]:
    if source is None:
        return "", None
    if isinstance(source, str | os.PathLike):
        return os.fspath(source), None
    return "-", source.read


def _image(outcome: api.Outcome, root: str) -> Image:
    with Store(root or None) as store:
        return Image(store.images.get(outcome.image.image), store=store.root, builders=outcome.builders)
