"""What steps read: the sources of a COPY or ADD, and what the mounts of a RUN show.  Found once, by key and by work."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import msgspec

from ...context import ignore, select
from ...context.base import Context
from ...context.compose import empty
from ...dockerfile import instructions as ins
from ...dockerfile.stages import Dockerfile, excerpt_for, shown_at
from ...errors import DockerceptionError, DockerfileError
from ..base import Level
from . import keys
from .bases import Bases
from .evaluate import Evaluator
from .keys import Contents
from .matching import Source, excluding, find_sources, missing
from .values import SCRATCH, Evaluated, Step

_T = TypeVar("_T")


class Files(msgspec.Struct, frozen=True, kw_only=True):
    """Files that a step reads: as a context, and where they are those of a stage or an image, as its layers."""

    context: Context
    layers: tuple[str, ...] | None = None


class Bound(msgspec.Struct, frozen=True, kw_only=True):
    """The file or directory ``path`` of some files, no link on the way, which a mount shows, and its content digest."""

    files: Files
    path: str
    digest: bytes


ViewStage = Callable[[Evaluated], Files]
"""The files of a stage; waits until it is built."""


class Reading:
    """What the steps of one level read.  Threads may share it, as long as each stage is asked for by one."""

    def __init__(self, level: Level, evaluator: Evaluator, bases: Bases, view_stage: ViewStage) -> None:
        self._level = level
        self._evaluator = evaluator
        self._bases = bases
        self._view_stage = view_stage
        self._copied: dict[tuple[int, int], tuple[list[Source], Contents]] = {}
        self._bound: dict[tuple[int, int, int], Bound] = {}

    def copied(self, stage: Evaluated, position: int, instruction: ins.Copy | ins.Add) -> tuple[list[Source], Contents]:
        """The files that the COPY or ADD at this position copies, and what tells their contents."""
        place = (stage.stage.index, position)
        if place not in self._copied:
            name = instruction.from_ if isinstance(instruction, ins.Copy) else ""
            files = self._files(stage, position, name)
            self._copied[place] = self._located(lambda: self._look(instruction, files.context), stage, position)
        return self._copied[place]

    def bound(self, stage: Evaluated, position: int, number: int, mount: ins.Mount) -> Bound:
        """What a mount of the RUN at this position shows, its ``number``-th; ``reads`` is true of it."""
        place = (stage.stage.index, position, number)
        if place not in self._bound:
            self._bound[place] = self._bind(stage, position, mount)
        return self._bound[place]

    def identity(self, stage: Evaluated, position: int, name: str) -> str:
        """What tells all files of an image or a named context that is no stage; empty where only their digests do."""
        if self._bases.is_nothing(name):
            return name
        return self._located(lambda: self._bases.context_identity(name), stage, position)

    def stage_named(self, stage: Evaluated, name: str) -> Evaluated | None:
        """The earlier stage that a ``from`` means."""
        other = self._evaluator.find(name, stage.stage.index) if name else None
        return None if other is None else self._evaluator.stage(other.index)

    def stages(self, stage: Evaluated) -> list[Evaluated]:
        """The stages that the steps of a stage read."""
        names = [name for step in stage.steps for name in _names(step)]
        found = (self.stage_named(stage, name) for name in names)
        return [other for other in found if other is not None]

    def _files(self, stage: Evaluated, position: int, name: str) -> Files:
        """The build's context, or what ``from`` names: a stage, a named context, an image, or nothing (scratch)."""
        if not name:
            return Files(context=self._level.context)
        other = self.stage_named(stage, name)
        if other is not None:
            return self._view_stage(other)
        return self._located(lambda: self._outside(name), stage, position)

    def _outside(self, name: str) -> Files:
        if self._bases.is_nothing(name):
            return Files(context=empty(name), layers=())
        return Files(context=self._bases.context(name), layers=self._bases.layers(name))

    def _look(self, instruction: ins.Copy | ins.Add, context: Context) -> tuple[list[Source], Contents]:
        sources = find_sources(instruction, context, self._bases.added)
        rules = excluding(instruction)
        contents = tuple((_name(source), (_digest(source, rules), source.unpacks)) for source in sources)
        return sources, (*contents, *keys.inline_contents(instruction))

    def _bind(self, stage: Evaluated, position: int, mount: ins.Mount) -> Bound:
        files = self._files(stage, position, mount.from_)

        def find() -> Bound:
            context = files.context
            path = select.resolve(context, select.clean(mount.source))
            if context.find(path) is None:
                raise missing(mount.source, context)
            digest = select.content_digest(context, path, owners=context.keeps_owners)
            return Bound(files=files, path=path, digest=digest)

        return self._located(find, stage, position)

    def _located(self, work: Callable[[], _T], stage: Evaluated, position: int) -> _T:
        """Do what the step asks for; errors get its lines of the Dockerfile."""
        try:
            return work()
        except DockerceptionError as error:
            add_excerpt(error, stage.steps[position], stage, self._level.dockerfile)
            raise


def reads(mount: ins.Mount) -> bool:
    """Whether what a mount shows comes from a context, a stage or an image."""
    return mount.type == "bind" or (mount.type == "cache" and mount.from_ not in ("", SCRATCH))


def add_excerpt(error: DockerceptionError, step: Step, stage: Evaluated, dockerfile: Dockerfile) -> None:
    """Put the step's lines of the Dockerfile in front of an error's details; those of FROM for an ONBUILD trigger."""
    location = stage.stage.base.location if step.is_trigger else step.instruction.location
    if isinstance(error, DockerfileError) and not error.details:
        error.message = shown_at(dockerfile, location, error).message
    excerpt = excerpt_for(dockerfile, location)
    error.details = f"{excerpt}\n{error.details}" if error.details else excerpt


def _names(step: Step) -> list[str]:
    match step.instruction:
        case ins.Copy(from_=name):
            return [name]
        case ins.Run(mounts=mounts):
            return [mount.from_ for mount in mounts if reads(mount)]
    return []


def _name(source: Source) -> str:
    return source.path.rpartition("/")[2]


def _digest(source: Source, rules: ignore.IgnoreRules | None) -> bytes:
    context = source.context
    return select.content_digest(context, source.followed, owners=context.keeps_owners, exclude=rules)
