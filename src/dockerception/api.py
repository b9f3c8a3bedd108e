"""The functions behind ``dockerception.build``, ``.context`` and ``.assemble``: a store opened, an engine started, the
chain run, everything closed again."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext

import msgspec

from .ception import Chain
from .chain.checks import Checks
from .chain.emitting import Emitted
from .chain.finishing import LevelSummary, Made, Outcome, finish
from .chain.sources import Sources
from .engines import choice
from .engines.base import EPOCH_VARIABLE, Engine, Settings
from .engines.outputs import check_platforms, rewrites_times
from .errors import DockerceptionError, UnsupportedError, UsageError
from .oci.entry import FILE
from .progress import Notice, PlatformReporter, Reporter, silent
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
    return _made(request, report, engine, Chain.build)


def assemble(request: BuildRequest, report: Reporter = silent, engine: Engine | None = None) -> Outcome:
    """Build one image from one context, as ``docker build`` does.  Options and errors as for ``build``."""
    return _made(request, report, engine, Chain.assemble)


@contextmanager
def context(request: BuildRequest, report: Reporter = silent, engine: Engine | None = None) -> Iterator[EmittedContext]:
    """Build the builder, run it, and give what it emits.  Options and errors as for ``build``, but for one platform."""
    if len(request.platforms) > 1:
        raise UsageError(
            f"A context is for one platform, and {len(request.platforms)} were asked for.", hint="give one --platform"
        )
    with _work(request, report, engine) as work:
        yield EmittedContext(work.chains[0].emit())


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
    if request.cdi_spec_dirs:
        raise UsageError(
            f"--cdi-spec-dir is for the embedded engine; {chosen.name} has devices of its own machine.",
            hint="describe them there: /etc/cdi",
        )
    if chosen.name == "buildx":
        from .engines.buildx.connect import connect as connect_builder

        return connect_builder(chosen.builder, store, report, helper=request.emit_helper)
    from .engines.daemon.connect import connect

    return connect(chosen.name, store, report)


class _Work(msgspec.Struct, frozen=True):
    """What a build works with: its chains, one a platform, and what they share."""

    chains: list[Chain]
    engine: Engine
    checks: Checks
    report: PlatformReporter


@contextmanager
def _work(request: BuildRequest, report: Reporter, given: Engine | None) -> Iterator[_Work]:
    labelled = PlatformReporter(report)
    with (
        Store(request.store or None) as store,
        nullcontext(given) if given is not None else open_engine(request, store, labelled) as engine,
    ):
        if len(request.platforms) > 1 and not engine.capabilities.indexes:
            raise UnsupportedError(
                f"{engine.capabilities.name} can't keep images for several platforms under one name.",
                hint="build for one platform at a time, or use the embedded engine or a builder of buildx",
            )
        sources, checks = Sources(request, store, labelled), Checks(request, store, labelled)
        chains = [
            Chain(request, settings, engine, store, labelled, sources=sources, checks=checks)
            for settings in _settings(request)
        ]
        yield _Work(chains, engine, checks, labelled)
        if store.has_grown:
            _make_room(store, request.keep_storage, report)


def _made(request: BuildRequest, report: Reporter, given: Engine | None, build_one: Callable[[Chain], Made]) -> Outcome:
    """Go through all chains, one after the other (they share most of their steps), and finish them together."""
    started = time.monotonic()
    with _work(request, report, given) as work:
        made = []
        for chain in work.chains:
            work.report.label = str(chain.platform) if len(work.chains) > 1 else ""
            made.append(build_one(chain))
        work.report.label = ""
        outcome = finish(made, request, work.engine, work.report, started=started)
        work.checks.after(is_cached=outcome.is_cached)
        return outcome


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


def _settings(request: BuildRequest) -> list[Settings]:
    """What holds for the levels of each platform."""
    check_platforms(request.outputs, len(set(request.platforms)))
    epoch = request.epoch if request.epoch is not None else find_epoch(request.build_args)
    started = int(time.time())
    fixed = {} if epoch is None else {EPOCH_VARIABLE: str(epoch)}
    settings = Settings(
        build_args={**request.build_args, **fixed},
        build_contexts=request.build_contexts,
        proxies=find_proxies(request.build_args),
        network=request.network,
        platform=Platform.host(),
        is_platform_fixed=bool(request.platforms),
        no_cache=request.no_cache,
        no_cache_filter=request.no_cache_filter,
        cache_from=request.cache_from,
        cache_to=request.cache_to,
        secrets=request.secrets,
        ssh=request.ssh,
        allow=request.allow,
        cdi_spec_dirs=request.cdi_spec_dirs,
        pull=request.pull,
        explain=request.explain,
        epoch=started if epoch is None else epoch,
        is_epoch_fixed=epoch is not None,
        started=started,
        rewrites_times=rewrites_times(request.outputs),
        limits=request.limits,
        stream_limits=request.stream_limits,
    )
    wanted = dict.fromkeys(request.platforms or (settings.platform,))
    return [msgspec.structs.replace(settings, platform=platform) for platform in wanted]
