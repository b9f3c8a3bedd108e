"""The functions behind ``dockerception.build``, ``.context`` and ``.assemble``: a store opened, an engine started, the
chain run, everything closed again."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext

from .ception import Chain, LevelSummary, Outcome
from .chain.emitting import Emitted
from .engines import choice
from .engines.base import EPOCH_VARIABLE, Engine, Settings
from .engines.outputs import rewrites_times
from .errors import DockerceptionError, UsageError
from .oci.entry import FILE
from .progress import Notice, Reporter, silent
from .proxies import find_proxies
from .reference import Platform
from .request import BuildRequest, find_epoch
from .store.store import Store

__all__ = ["EmittedContext", "LevelSummary", "Outcome", "assemble", "build", "context"]

Write = Callable[[bytes], None]


class EmittedContext:
    """A context that a builder has emitted; valid inside the ``with`` block that ``context`` opens."""

    def __init__(self, emitted: Emitted) -> None:
        self._emitted = emitted
        self.is_cached = emitted.is_cached
        self.files = emitted.context

    @property
    def size(self) -> int:
        """The sum of the sizes of its files, in bytes."""
        return sum(entry.size for entry in self.files.walk("") if entry.kind == FILE)

    def write_tar(self, write: Write) -> None:
        """Write it as a tar stream, owners 0:0, entries in canonical order: equal contexts give equal bytes."""
        from .transports import rootfs

        rootfs.write_tar(self.files, write)

    def write_directory(self, path: str) -> list[str]:
        """Write its files into an empty or new directory; returns notes on what a directory can't hold.

        No link is followed while writing.  Raises ``UsageError`` if the directory has something in it.
        """
        from .transports import rootfs

        if os.path.isdir(path) and os.listdir(path):
            raise UsageError(f"The directory {path} is not empty.", hint="give a new or an empty directory")
        return rootfs.write_directory(self.files, path)


def build(request: BuildRequest, report: Reporter = silent, engine: Engine | None = None) -> Outcome:
    """Run the whole chain: build the builder, run it, build the runtime image, name it and write its outputs.

    ``engine`` is used in place of the one that the request names, and not closed.  Raises a ``DockerceptionError``;
    then nothing is named, and the output that failed is not there.
    """
    with _chain(request, report, engine) as chain:
        return chain.build()


def assemble(request: BuildRequest, report: Reporter = silent, engine: Engine | None = None) -> Outcome:
    """Build one image from one context, as ``docker build`` does.  Options and errors as for ``build``."""
    with _chain(request, report, engine) as chain:
        return chain.assemble()


@contextmanager
def context(request: BuildRequest, report: Reporter = silent, engine: Engine | None = None) -> Iterator[EmittedContext]:
    """Build the builder, run it, and give what it emits.  Options and errors as for ``build``."""
    with _chain(request, report, engine) as chain:
        yield EmittedContext(chain.emit())


@contextmanager
def open_engine(request: BuildRequest, store: Store, report: Reporter) -> Iterator[Engine]:
    """The engine that a request asks for, closed at the end of the block."""
    engine = _start(choice.choose(request.engine), request, store, report)
    try:
        yield engine
    finally:
        engine.close()


def _start(chosen: choice.Choice, request: BuildRequest, store: Store, report: Reporter) -> Engine:
    if chosen.name == "embedded":
        from .engines.embedded.engine import EmbeddedEngine

        return EmbeddedEngine(store, report=report, isolation=request.isolation, runtime=request.runtime)
    if request.isolation != "auto" or request.runtime:
        raise UsageError(
            f"--isolation and --runtime are for the embedded engine; {chosen.name} decides by itself how it runs steps."
        )
    if chosen.name == "buildx":
        from .engines.buildx.connect import connect as connect_builder

        return connect_builder(chosen.builder, store, report, helper=request.emit_helper)
    from .engines.daemon.connect import connect

    return connect(chosen.name, store, report)


@contextmanager
def _chain(request: BuildRequest, report: Reporter, given: Engine | None) -> Iterator[Chain]:
    with (
        Store(request.store or None) as store,
        nullcontext(given) if given is not None else open_engine(request, store, report) as engine,
    ):
        yield Chain(request, _settings(request), engine, store, report)
        if store.has_grown:
            _make_room(store, request.keep_storage, report)


def _make_room(store: Store, cap: int | None, report: Reporter) -> None:
    """Keep the store under its cap.  The build has done its work, and is not to fail for this."""
    from .library import space

    try:
        pruned = space.make_room(store, space.cap(store, cap).limit)
    except DockerceptionError as error:
        report(Notice(text=f"No room could be made in the store: {error.message}", severity="warning"))
        return
    if pruned.things:
        report(Notice(text=f"Old cache has made room in the store: {pruned.bytes_freed / 1e6:.1f} MB."))


def _settings(request: BuildRequest) -> Settings:
    epoch = request.epoch if request.epoch is not None else find_epoch(request.build_args)
    started = int(time.time())
    fixed = {} if epoch is None else {EPOCH_VARIABLE: str(epoch)}
    return Settings(
        build_args={**request.build_args, **fixed},
        build_contexts=request.build_contexts,
        proxies=find_proxies(request.build_args),
        network=request.network,
        platform=request.platform or Platform.host(),
        no_cache=request.no_cache,
        no_cache_filter=request.no_cache_filter,
        cache_from=request.cache_from,
        cache_to=request.cache_to,
        secrets=request.secrets,
        ssh=request.ssh,
        allow=request.allow,
        pull=request.pull,
        explain=request.explain,
        epoch=started if epoch is None else epoch,
        is_epoch_fixed=epoch is not None,
        started=started,
        rewrites_times=rewrites_times(request.outputs),
        limits=request.limits,
        max_context=request.max_context,
    )
