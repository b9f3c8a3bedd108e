"""Executes one step: on a stack of layers, to one new layer."""

from __future__ import annotations

import posixpath
from collections.abc import Mapping, Sequence

from ...context.base import Context
from ...context.lookup_user import owner as owner_ids
from ...context.lookup_user import process_user
from ...dockerfile import instructions as ins
from ...dockerfile.stages import Dockerfile, excerpt_for
from ...errors import ContextError, DockerceptionError, DockerfileError
from ...progress import Reporter, StepLog
from ...store.layers import Layer
from ...store.store import Store
from ..base import Level
from . import configuring
from .archives import Archives
from .copying import Copier, Source
from .faces import Faces, StartSandbox
from .inline import InlineContext
from .planting import Planting, contents_of
from .running import run_step
from .values import Step


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
        proxies: Mapping[str, str],
    ) -> None:
        self._level = level
        self._store = store
        self._faces = faces
        self._sandbox = sandbox
        self._report = report
        self._proxies = proxies

    def execute(
        self, step: Step, *, stack: Sequence[str], sources: list[Source], wants_tree: bool, step_number: int
    ) -> Layer:
        """Make the step's layer.  Errors carry the lines of the Dockerfile."""
        try:
            match step.instruction:
                case ins.Run():
                    return self._run(step, stack, step_number)
                case ins.Copy() | ins.Add():
                    return self._copy(step, stack, sources, wants_tree)
                case _:
                    return self._make_working_dir(step, stack, wants_tree)
        except DockerceptionError as error:
            if not step.is_trigger:
                add_excerpt(error, step.instruction, self._level.dockerfile)
            raise

    def _run(self, step: Step, stack: Sequence[str], step_number: int) -> Layer:
        self._faces.trees(stack)
        upper = self._store.temporary(".upper")
        run_step(
            step,
            stack=stack,
            below=self._below(stack),
            upper=upper,
            sandbox=self._sandbox(),
            store=self._store,
            proxies=self._proxies,
            network=self._level.settings.network,
            sink=lambda stream, data: self._report(StepLog(step=step_number, data=data, stream=stream)),
        )
        return self._store.layers.add_tree(upper)

    def _copy(self, step: Step, stack: Sequence[str], sources: list[Source], wants_tree: bool) -> Layer:
        instruction = step.instruction
        assert isinstance(instruction, ins.Copy | ins.Add)
        below = self._below(stack)
        owner = _owner(below, instruction.chown)
        time = self._level.settings.epoch if self._level.settings.is_epoch_fixed else 0
        planting = Planting(below, owner=owner or (0, 0), default_time=time)
        archives = Archives(self._store)
        unpacks = isinstance(instruction, ins.Add) and instruction.unpack is not False
        copier = Copier(
            instruction,
            planting,
            working_dir=step.config.working_dir,
            owner=owner,
            unpack=archives.unpack if unpacks else None,
        )
        for source in sources:
            copier.copy(source)
        inline = InlineContext(instruction, time=self._level.settings.epoch)
        for file in instruction.files:
            copier.copy(Source(context=inline, path=file.name, followed=file.name))
        return self._faces.add(planting.finish(), contents_of(planting), wants_tree=wants_tree, below=stack)

    def _make_working_dir(self, step: Step, stack: Sequence[str], wants_tree: bool) -> Layer:
        instruction = step.instruction
        assert isinstance(instruction, ins.Workdir)
        below = self._below(stack)
        path = configuring.absolute(instruction.path, step.config.working_dir).lstrip("/")
        parent = below.find(posixpath.dirname(path))
        settings = self._level.settings
        time = settings.epoch if settings.is_epoch_fixed or parent is None else parent.mtime
        # As BuildKit: a directory made by WORKDIR belongs to the USER of that line.
        user = process_user(below, step.config.user)
        planting = Planting(below, owner=(user.uid, user.gid), default_time=time)
        planting.make_directory(planting.resolve(path))
        return self._faces.add(planting.finish(), contents_of(planting), wants_tree=wants_tree, below=stack)

    def _below(self, stack: Sequence[str]) -> Context:
        return self._faces.view(stack, "the image so far")


def _owner(below: Context, chown: str) -> tuple[int, int] | None:
    try:
        return owner_ids(below, chown) if chown else None
    except ContextError as error:
        raise DockerfileError(error.message, hint=error.hint) from error


def add_excerpt(error: DockerceptionError, instruction: ins.Instruction, dockerfile: Dockerfile) -> None:
    """Put the lines of the Dockerfile in front of an error's details."""
    excerpt = excerpt_for(dockerfile, instruction.location)
    error.details = f"{excerpt}\n{error.details}" if error.details else excerpt
