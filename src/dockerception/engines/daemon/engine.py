"""The engine of a daemon: the parts of this room put together behind the ``Engine`` protocol."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from contextlib import suppress

import msgspec

from ...context.base import Context
from ...context.compose import empty
from ...errors import DockerceptionError, ImageNotFoundError, TransportError, UnsupportedError
from ...progress import Reporter, silent
from ...reference import Platform, Reference
from ...store.store import Store
from ...transports import docker_daemon
from ..base import Built, Capabilities, EmitRequest, Exported, Level, Material, Output, Result, Settings
from ..embedded.engine import EmbeddedEngine
from ..embedded.steps import Steps
from ..emission import PipeEmission, nothing_to_run
from ..outputs import is_push
from . import leftovers
from .api import Daemon, ImageFacts
from .building import Builder, BuildOrder
from .caches import cache_options
from .container import begin
from .directory import read_directory
from .named import DOMAIN, NamedContexts
from .references import Outside, References, needs_buildkit
from .reporting import Progress


class _Handle(msgspec.Struct, frozen=True):
    image: ImageFacts
    settings: Settings


class DaemonEngine:
    """Builds and runs in a daemon.  See ``engines.base.Engine``; not for several threads at once.

    The store keeps what dockerception needs itself: emitted contexts, and images on their way in and out.
    """

    def __init__(
        self,
        daemon: Daemon,
        builder: Builder,
        capabilities: Capabilities,
        store: Store,
        report: Reporter,
        *,
        steps: Steps | None = None,
    ) -> None:
        self.capabilities = capabilities
        self._daemon = daemon
        self._builder = builder
        self._store = store
        self._report = report
        self._steps = steps or Steps(report)
        self._embedded: EmbeddedEngine | None = None
        self._with_labels: dict[tuple[str, tuple[tuple[str, str], ...]], ImageFacts] = {}

    def build(self, level: Level) -> Built:
        settings = level.settings
        self._check_builder(level)
        named = NamedContexts(self._daemon, settings, self._store, self._own_engine, self._steps)
        references = References(
            level.dockerfile,
            settings,
            level.target,
            is_named=named.is_named,
            builds_all=self._builder.builds_all_stages,
        )
        outside = references.outside
        named.pull(outside)
        with named.brought(outside) as names:
            progress = Progress(self._report, self._steps.next_number, level=level.index, names=names)
            order = BuildOrder(
                dockerfile=references.text(names),
                context=level.context,
                target=level.target,
                build_args=settings.build_args,
                network=settings.network,
                secrets=settings.secrets,
                ssh=settings.ssh,
                allow=settings.allow,
                limits=settings.limits,
                platform=settings.platform,
                no_cache=settings.no_cache or f"level:{level.index}" in settings.no_cache_filter,
                no_cache_stages=_stages(settings),
                caches=tuple(cache_options(settings, level.index)),
            )
            image = self._run(order, progress)
        return Built(
            level=level.index,
            key=image.image,
            config=image.config,
            is_cached=not progress.has_executed,
            materials=(*named.materials, *self._materials(outside, names)),
            unused_build_args=references.unused_build_args,
            handle=_Handle(image, settings),
        )

    def emit(self, built: Built, request: EmitRequest, step: int) -> PipeEmission:
        config = built.config.config
        if not (config.entrypoint or request.command or config.cmd):
            raise nothing_to_run()
        leftovers.remove(self._daemon)
        return begin(
            self._daemon,
            _handle(built).image.image,
            request,
            config=config,
            labels={leftovers.LABEL: leftovers.owner()},
            report=self._report,
            step=step,
        )

    def directory(self, built: Built, path: str) -> Context:
        handle = _handle(built)
        leftovers.remove(self._daemon)
        return read_directory(self._daemon, handle.image.image, path, self._store, handle.settings.stream_limits)

    def publish(self, built: Built, labels: Mapping[str, str]) -> Result:
        image = self._labelled(built, labels) if labels else _handle(built).image
        settings = _handle(built).settings
        epoch = settings.epoch if settings.is_epoch_fixed else None
        return Result(image=image.image, size=image.size, layers=image.layers, epoch=epoch)

    def name(self, results: Sequence[Result], names: Sequence[Reference]) -> None:
        """As the protocol has it: what a name led to before is put back when a later one fails."""
        image = _only(results).image
        before: list[tuple[Reference, ImageFacts | None]] = []
        try:
            for name in names:
                before.append((name, self._daemon.find(name.familiar)))
                self._daemon.tag(image, name)
        except TransportError:
            for name, earlier in before:
                with suppress(TransportError, ImageNotFoundError):
                    if earlier is not None:
                        self._daemon.tag(earlier.image, name)
                    else:
                        self._daemon.untag(name.familiar)
            raise

    def size(self, built: Built) -> int:
        return _handle(built).image.size

    def export(self, results: Sequence[Result], output: Output) -> tuple[Exported, ...]:
        """As the protocol has it; an image is in the daemon already, so that ``--load`` has nothing to do."""
        is_here = output.type in ("image", "load") or (output.type == "docker" and not output.destination)
        if is_here and not is_push(output):
            return ()
        result = _only(results)
        engine = self._own_engine()
        spool = self._store.contexts.new_spool()
        source = docker_daemon.DaemonImage(
            self._daemon.client, result.image, result.image, Platform.host(), spool, shares_client=True
        )
        try:
            stored = engine.import_image(source)
        finally:
            source.close()
        return engine.export([msgspec.structs.replace(result, image=stored.image, layers=stored.layers)], output)

    def fetch_context(self, key: str) -> bool:
        return False

    def export_cache(self, levels: Sequence[Built], contexts: Sequence[str]) -> None:
        """There are none: its ``capabilities`` say so, and nobody asks."""

    def close(self) -> None:
        if self._embedded is not None:
            self._embedded.close()
        self._daemon.close()

    def _run(self, order: BuildOrder, progress: Progress) -> ImageFacts:
        try:
            return self._daemon.get(self._builder.build(order, progress))
        except DockerceptionError as error:
            if isinstance(error, TransportError) and not self._daemon.answers():
                raise TransportError(
                    f"The {self._daemon.name} daemon at {self._daemon.address} went away during the build.",
                    details=error.message,
                    hint="nothing has been named; build again when it is back",
                ) from error
            raise

    def _check_builder(self, level: Level) -> None:
        if not self._builder.builds_all_stages or self._daemon.name != "Docker":
            return
        newer = needs_buildkit(level.dockerfile)
        if newer:
            raise UnsupportedError(
                f"{level.dockerfile.document.name} has {newer}, which Docker's classic builder does not know.",
                hint="install Docker's command line with its buildx plugin, and unset DOCKER_BUILDKIT=0",
            )

    def _materials(self, outside: Sequence[Outside], names: Mapping[str, str]) -> list[Material]:
        found = []
        for name in (each.name for each in outside if each.name not in names):
            image = self._daemon.find(name)
            found.append(Material("image", name, image.image if image is not None else ""))
        return found

    def _labelled(self, built: Built, labels: Mapping[str, str]) -> ImageFacts:
        """The image with more labels: one more build, of its name alone."""
        handle = _handle(built)
        key = (handle.image.image, tuple(sorted(labels.items())))
        if key not in self._with_labels:
            private = Reference.parse(f"{DOMAIN}/unlabelled:{secrets.token_hex(8)}")
            self._daemon.tag(handle.image.image, private)
            try:
                order = BuildOrder(
                    dockerfile=f"FROM {private}\n".encode(),
                    context=empty(),
                    labels=labels,
                    platform=handle.settings.platform,
                )
                progress = Progress(silent, self._steps.next_number, level=built.level, names={})
                self._with_labels[key] = self._run(order, progress)
            finally:
                with suppress(TransportError):  # what led here says more
                    self._daemon.untag(str(private))
        return self._with_labels[key]

    def _own_engine(self) -> EmbeddedEngine:
        if self._embedded is None:
            self._embedded = EmbeddedEngine(self._store, report=self._report, steps=self._steps)
        return self._embedded


def _only(results: Sequence[Result]) -> Result:
    """The one image that a daemon's name has; for several platforms its ``capabilities`` say no."""
    (result,) = results
    return result


def _stages(settings: Settings) -> frozenset[str]:
    return frozenset(name for name in settings.no_cache_filter if name != "emit" and not name.startswith("level:"))


def _handle(built: Built) -> _Handle:
    if not isinstance(built.handle, _Handle):
        raise TypeError("this level was built by another engine")
    return built.handle
