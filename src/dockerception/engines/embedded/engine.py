"""The embedded engine: the parts of this room put together behind the ``Engine`` protocol."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import msgspec

from ...context.base import Context
from ...dockerfile.stages import find_stage
from ...limits import OPTIONS
from ...oci.config import ContainerConfig, ImageConfig
from ...progress import Notice, Reporter, silent
from ...reference import Reference
from ...store.images import StoredImage
from ...store.store import Store
from ...transports.base import Outgoing, SourceImage
from ..base import UNDECLARED_ARGS, Built, Capabilities, EmitRequest, Exported, Level, Output, Result, Settings
from ..capabilities import check
from . import keys
from .bases import Bases
from .caches import Caches
from .evaluate import Evaluator
from .faces import Faces
from .finish import finish, image_config
from .pending import Stop
from .recorded import LostLayerError
from .solve import Solver
from .solved import SolvedLevel
from .steps import Steps

if TYPE_CHECKING:
    from ...sandbox.client import Sandbox
    from ..emission import PipeEmission
    from .execute import Executor

# What only work needs is imported when there is work: a build in which nothing changed is done without it.


class _Handle(msgspec.Struct, frozen=True):
    level: Level
    solved: SolvedLevel

    @property
    def config(self) -> ContainerConfig:
        return self.solved.stage.config

    @property
    def layers(self) -> tuple[str, ...]:
        return self.solved.state.layers


class EmbeddedEngine:
    """Builds in a store of its own, without a daemon.  See ``engines.base.Engine``; not for several threads at once."""

    capabilities = Capabilities(
        name="The embedded engine",
        indexes=True,
        caches=True,
        explains=True,
        rewrites=True,
        roots=True,
        limits=frozenset(OPTIONS),
    )

    def __init__(
        self,
        store: Store,
        *,
        report: Reporter = silent,
        isolation: str = "auto",
        runtime: str = "auto",
        steps: Steps | None = None,
    ) -> None:
        self._store = store
        self._report = report
        self._isolation = isolation
        self._runtime = runtime
        self._sandbox: Sandbox | None = None
        self._lock = threading.Lock()
        self._solvers: list[Solver] = []
        self._steps = steps or Steps(report)
        self._caches = Caches(store, self.sandbox, self._steps, report)
        self.faces = Faces(store, self.sandbox, report, fetch=self._caches.fetch)

    def sandbox(self) -> Sandbox:
        """The sandbox, started when it is first asked for."""
        from ...sandbox.client import Sandbox

        with self._lock:
            if self._sandbox is None:
                self._sandbox = Sandbox(
                    self._store.root,
                    isolation=self._isolation,  # type: ignore[arg-type]  # checked by the sandbox
                    runtime=self._runtime or "auto",
                    scratch=self._store.scratch,
                    warn=lambda text: self._report(Notice(text=f"{text}.", severity="warning")),
                )
            return self._sandbox

    def build(self, level: Level) -> Built:
        check(self.capabilities, level.settings)
        if level.settings.limits.grouped:
            self.sandbox().check_limits(level.settings.limits)
        self._caches.use(level.settings)
        while True:
            try:
                built = self._build(level)
                if not level.will_emit:
                    self.faces.fetch_all(_handle(built).layers)
            except LostLayerError:
                continue  # what a cache elsewhere did not keep is made here
            return built

    def _build(self, level: Level) -> Built:
        settings = level.settings
        bases = Bases(self._store, settings, self._report, self._view, self._steps, self._caches.lazy_bases)
        evaluator = Evaluator(
            level.dockerfile, settings, level.target, resolve_image=bases.resolve, is_named_context=bases.is_named
        )
        dockerfile = level.dockerfile
        target = find_stage(dockerfile, level.target) if level.target else dockerfile.stages[-1]
        stage = evaluator.stage(target.index)
        solver = self._solver(level, evaluator, bases)
        state = solver.solve(stage)
        return Built(
            level=level.index,
            key=keys.derive("image", (("layers", state.key), ("config", msgspec.msgpack.encode(stage.config)))),
            config=image_config(stage, state, settings),
            is_cached=not solver.has_executed,
            materials=tuple(bases.materials),
            unused_build_args=frozenset(settings.build_args) - evaluator.used_build_args - UNDECLARED_ARGS,
            handle=_Handle(level, SolvedLevel(stage=stage, state=state, solver=solver)),
        )

    def bases(self, settings: Settings) -> Bases:
        """What looks up the names of one level's Dockerfile."""
        return Bases(self._store, settings, self._report, self._view, self._steps)

    def _solver(self, level: Level, evaluator: Evaluator, bases: Bases) -> Solver:
        stop = Stop()

        def make_executor() -> Executor:
            from .execute import Executor

            return Executor(
                level,
                store=self._store,
                faces=self.faces,
                sandbox=self.sandbox,
                report=self._report,
                stop=stop,
                fill_mount=self._caches.fill_mount,
            )

        solver = Solver(
            level,
            evaluator,
            bases,
            recorded=self._caches.recorded(),
            traces=self._store.traces,
            claims=self._store.claims,
            faces=self.faces,
            make_executor=make_executor,
            steps=self._steps,
            stop=stop,
        )
        self._solvers.append(solver)
        return solver

    def emit(self, built: Built, request: EmitRequest, step: int) -> PipeEmission:
        from ..emission import nothing_to_run
        from .emission import begin
        from .running import container_request

        handle = _handle(self._whole(built))
        config, stack = handle.config, handle.layers
        run = container_request(
            config,
            stack=stack,
            files=self._view_layers(stack, "the builder"),
            command=request.command,
            network=request.network,
            limits=msgspec.structs.replace(request.limits, timeout=0.0),  # of steps; a builder's silence is limited
        )
        if not run.args:
            raise nothing_to_run()
        self.faces.trees(stack)
        return begin(self.sandbox(), run, timeout=request.timeout, config=config, report=self._report, step=step)

    def directory(self, built: Built, path: str) -> Context:
        from ..directories import open_directory

        return open_directory(self._view_layers(_handle(self._whole(built)).layers, "the image"), path)

    def publish(self, built: Built, labels: Mapping[str, str]) -> Result:
        built = self._whole(built)
        handle = _handle(built)
        settings = handle.level.settings
        layers, config = self._final_layers(handle), built.config
        if labels:
            merged = {**(config.config.labels or {}), **labels}
            config = msgspec.structs.replace(config, config=msgspec.structs.replace(config.config, labels=merged))
        if not handle.level.will_emit:
            config = self._caches.with_inline(config, handle.solved, layers, self.faces)
        image = finish(self._store, self.faces, config, layers)
        epoch = settings.epoch if settings.is_epoch_fixed else None
        return Result(image=image.image, size=self.size(built), layers=layers, epoch=epoch)

    def name(self, results: Sequence[Result], names: Sequence[Reference]) -> None:
        self._store.images.name_all([self._store.images.get(result.image) for result in results], names)

    def _final_layers(self, handle: _Handle) -> tuple[str, ...]:
        """The layers that the level's image has in the end."""
        settings, state = handle.level.settings, handle.solved.state
        if not settings.rewrites_times:
            return state.layers
        from .rewriting import rewritten

        own = len(state.base_layers)
        return rewritten(
            self._store, self.faces, state.layers, base_layers=own, epoch=settings.epoch, steps=self._steps
        )

    def size(self, built: Built) -> int:
        return sum(self._caches.size(layer) for layer in _handle(built).layers)

    def _whole(self, built: Built) -> Built:
        """The level with all its layers here; it is built again if a cache elsewhere has lost one."""
        try:
            self.faces.fetch_all(_handle(built).layers)
        except LostLayerError:
            return self._whole(self.build(_handle(built).level))
        return built

    def export(self, results: Sequence[Result], output: Output) -> tuple[Exported, ...]:
        from ..outputs import describe
        from .exporting import export

        images = [self._store.images.get(result.image) for result in results]
        with self._steps.step(describe(output, results[0].names)) as step:
            return export(self._store, self.faces, images, results[0], output, self._report, step)

    def fetch_context(self, key: str) -> bool:
        return self._caches.fetch_context(key)

    def export_cache(self, levels: Sequence[Built], contexts: Sequence[str]) -> None:
        self._caches.export([_handle(built).solved for built in levels], contexts, self.faces)

    def outgoing(self, image: StoredImage, names: tuple[Reference, ...]) -> Outgoing:
        """An image of the store, ready for a transport."""
        from .exporting import outgoing

        return outgoing(self._store, self.faces, image, names)

    def import_image(self, source: SourceImage, names: tuple[Reference, ...] = ()) -> StoredImage:
        """Bring an image from a transport into the store."""
        from .importing import import_image

        with self._steps.step("import") as step:
            return import_image(self._store, source, names=names, report=self._report, step=step.number)

    def container(self, image: StoredImage) -> tuple[ImageConfig, tuple[str, ...], Context]:
        """What is needed to run an image: its config, its layers with their trees made, and its files."""
        self.faces.trees(image.layers)
        return image.config, image.layers, self.image_files(image)

    def image_files(self, image: StoredImage) -> Context:
        """The files of an image of the store."""
        return self._view(image, f"the image {image.image[:19]}")

    def close(self) -> None:
        with self._lock:
            sandbox = self._sandbox
        if sandbox is not None:
            sandbox.close()
        self._caches.close()
        for solver in self._solvers:
            solver.join()

    def _view(self, image: StoredImage, origin: str) -> Context:
        return self._view_layers(image.layers, origin)

    def _view_layers(self, layers: tuple[str, ...], origin: str) -> Context:
        return self.faces.view(layers, origin)


def _handle(built: Built) -> _Handle:
    if not isinstance(built.handle, _Handle):
        raise TypeError("this level was built by another engine")
    return built.handle
