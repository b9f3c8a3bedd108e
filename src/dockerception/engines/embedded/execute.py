"""Executes one step: on a stack of layers, to one new layer."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

from ...context.archives import Archives
from ...context.base import Context
from ...context.lookup_user import User, process_user
from ...context.lookup_user import owner as owner_ids
from ...dockerfile import instructions as ins
from ...errors import ContextError, DockerfileError
from ...oci.entry import DIRECTORY, Entry, parents
from ...progress import Notice, Reporter, StepLog
from ...store.layers import Layer
from ...store.store import Store
from ..base import Level
from . import configuring, roots
from .bound_trees import BoundTrees
from .copying import Copier
from .faces import Contents, Faces, StartSandbox
from .inline import InlineContext
from .matching import Source
from .pending import Stop
from .planting import Planting, contents_of
from .reading import Bound
from .run_mounts import RunMounts
from .running import run_step
from .values import Step

if TYPE_CHECKING:
    from .cdi.edits import Edits


class Executor:
    """Executes the steps of one level."""

    def __init__(
        self,
        level: Level,
        *,
        store: Store,
        faces: Faces,
        sandbox: StartSandbox,
        report: Reporter,
        stop: Stop,
        fill_mount: Callable[[str], None],
    ) -> None:
        self._level = level
        self._store = store
        self._faces = faces
        self._sandbox = sandbox
        self._report = report
        self._stop = stop
        self._mounts = RunMounts(store, BoundTrees(store, faces), level.settings, stop, fill_mount)

    def execute(
        self,
        step: Step,
        *,
        stack: Sequence[str],
        sources: list[Source],
        bound: Sequence[Bound | None],
        wants_tree: bool,
        step_number: int,
    ) -> Layer:
        """Make the step's layer; ``sources`` is what a COPY or ADD copies, ``bound`` what each mount of a RUN shows."""
        match step.instruction:
            case ins.Run():
                return self._run(step.instruction, step, stack, bound, step_number)
            case ins.Copy() | ins.Add():
                return self._copy(step.instruction, step, stack, sources, wants_tree)
            case ins.Workdir():
                return self._make_working_dir(step.instruction, step, stack, wants_tree)
            case _:
                raise TypeError(f"{type(step.instruction).__name__} makes no layer")

    def _run(
        self, instruction: ins.Run, step: Step, stack: Sequence[str], bound: Sequence[Bound | None], step_number: int
    ) -> Layer:
        self._faces.trees(stack)
        upper = self._store.temporary(".upper")
        devices = self._devices(instruction)
        with self._mounts.ready(instruction, bound, step.config.working_dir) as ready:
            run_step(
                instruction,
                step,
                stack=stack,
                user=_user(self._below(stack), step.config.user),
                upper=upper,
                ready=ready,
                devices=devices,
                sandbox=self._sandbox(),
                store=self._store,
                settings=self._level.settings,
                sink=lambda stream, data: self._report(StepLog(step=step_number, data=data, stream=stream)),
                stop=self._stop,
            )
        self._sandbox().sync()
        return self._store.layers.add_tree(upper)

    def _devices(self, instruction: ins.Run) -> Edits | None:
        """What the devices of this machine that a RUN asks for add to its container."""
        if not instruction.devices:
            return None
        from .cdi import edits, registry
        from .cdi.allowing import Allowed

        settings = self._level.settings
        found = registry.load(settings.cdi_spec_dirs or registry.DIRECTORIES)
        wanted = [ins.read_device(text) for text in instruction.devices]
        made = edits.of_devices(wanted, found, Allowed.of(settings.allow))
        for problem in found.problems:
            self._report(Notice(text=problem, severity="warning"))
        for name in made.missing:
            text = f"The step runs without the device {name}: this machine has none."
            self._report(Notice(text=text, severity="warning"))
        return made

    def _copy(
        self,
        instruction: ins.Copy | ins.Add,
        step: Step,
        stack: Sequence[str],
        sources: list[Source],
        wants_tree: bool,
    ) -> Layer:
        below = self._below(stack)
        owner = self._owner(below, instruction.chown)
        root = instruction.root if isinstance(instruction, ins.Copy) else ""
        planting = Planting(below, owner=owner or (0, 0), replaces_anything=root == roots.PUBLISHED)
        if root == roots.FILLED:
            roots.check_is_free(below, planting, configuring.absolute(instruction.destination, step.config.working_dir))
        copier = Copier(
            instruction,
            planting,
            working_dir=step.config.working_dir,
            owner=owner,
            unpack=Archives(self._store).unpack,
        )
        for source in sources:
            copier.copy(source)
        if root == roots.PUBLISHED:
            roots.remove_missing(below, planting, sources[0])
        inline = InlineContext(instruction, time=self._level.settings.started)
        for file in instruction.files:
            copier.copy(Source(context=inline, path=file.name, followed=file.name))
        self._warn_of_overwriting(instruction, planting, step, len(sources) + len(instruction.files))
        return self._faces.add(planting.finish(), self._readable(planting), wants_tree=wants_tree, below=stack)

    def _warn_of_overwriting(self, instruction: ins.Copy | ins.Add, planting: Planting, step: Step, count: int) -> None:
        """Say so where several files went to one name, which is seldom meant."""
        target = planting.resolve(configuring.absolute(instruction.destination, step.config.working_dir).lstrip("/"))
        found = planting.find(target)
        if count > 1 and found is not None and found.kind != DIRECTORY:
            text = f"Only the last of {count} sources is at {instruction.destination}, which is no directory."
            self._report(Notice(text=f"{text} Write {instruction.destination}/ to have them all.", severity="warning"))

    def _make_working_dir(self, instruction: ins.Workdir, step: Step, stack: Sequence[str], wants_tree: bool) -> Layer:
        below = self._below(stack)
        path = configuring.absolute(instruction.path, step.config.working_dir).lstrip("/")
        # The time of what it is made in: neither a clock nor SOURCE_DATE_EPOCH, which cached layers would keep.
        found = (below.find(above) for above in (*reversed(parents(path)), ""))
        time = next(entry.mtime for entry in found if entry is not None)
        # As BuildKit: a directory made by WORKDIR belongs to the USER of that line, who is read as --chown would be.
        planting = Planting(below, owner=self._owner(below, step.config.user) or (0, 0), default_time=time)
        planting.make_directory(planting.resolve(path))
        return self._faces.add(planting.finish(), self._readable(planting), wants_tree=wants_tree, below=stack)

    def _owner(self, below: Context, spec: str) -> tuple[int, int] | None:
        """Who the new files of a step belong to; ``None`` if nothing says so.  Warns of names that nobody knows."""
        if not spec:
            return None
        unknown: list[str] = []
        try:
            owner = owner_ids(below, spec, unknown)
        except ContextError as error:
            raise DockerfileError(error.message, hint=error.hint) from error
        for sentence in unknown:
            self._report(Notice(text=f"{sentence} Files of “{spec}” are {owner[0]}:{owner[1]}.", severity="warning"))
        return owner

    def _readable(self, planting: Planting) -> Contents:
        """The bytes of the new files, until the build stops."""
        contents = contents_of(planting)

        def read(entry: Entry) -> Iterator[bytes | memoryview]:
            for chunk in contents(entry):
                self._stop.check()
                yield chunk

        return read

    def _below(self, stack: Sequence[str]) -> Context:
        return self._faces.view(stack, "the image so far")


def _user(below: Context, spec: str) -> User:
    try:
        return process_user(below, spec)
    except ContextError as error:
        raise DockerfileError(error.message, hint=error.hint) from error
