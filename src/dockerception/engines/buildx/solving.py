"""From a level to a call of buildx: what both the levels' images and their emissions need."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Final

import msgspec

from ...errors import DockerceptionError, UnsupportedError
from ...progress import Reporter
from ..base import Level
from ..daemon import buildkit_call
from ..daemon.building import BuildOrder
from ..daemon.caches import cache_options
from ..daemon.failures import build_failure
from ..daemon.plain_progress import PlainProgress
from ..daemon.references import Outside, References
from ..daemon.reporting import Progress
from ..embedded.steps import Steps
from .builders import Builder
from .contexts import Brought, Contexts

_NEEDS_CONTEXTS: Final = "moby.buildkit.frontend.contexts"


class Prepared(msgspec.Struct, frozen=True, kw_only=True):
    """A level and its names: ``references`` know what leads outside of its Dockerfile, ``contexts`` bring that.

    ``forces`` is false where the level has been built before in this build, so that ``--no-cache`` has been obeyed.
    """

    level: Level
    references: References
    contexts: Contexts
    forces: bool = True


class Solvable(msgspec.Struct, frozen=True, kw_only=True):
    """What a builder has to know of a level: its Dockerfile, whose names it finds, and where it finds them."""

    prepared: Prepared
    text: bytes
    brought: Brought


class Solving:
    """Makes calls of buildx for one builder and judges how they end."""

    def __init__(self, builder: Builder, steps: Steps, report: Reporter) -> None:
        self.builder = builder
        self.report = report
        self._steps = steps

    @contextmanager
    def solvable(self, prepared: Prepared, work: str, more: Sequence[Outside] = ()) -> Iterator[Solvable]:
        """The level as the builder takes it, with ``more`` names, for the duration of the block.

        ``work`` is for files that it reads.
        """
        outside = {each.name: each for each in (*more, *prepared.references.outside)}
        with prepared.contexts.brought(tuple(outside.values()), work) as brought:
            yield Solvable(prepared=prepared, text=prepared.references.text(brought.names), brought=brought)

    def progress(self, solvable: Solvable, more_names: Mapping[str, str] = {}) -> Progress:
        """What reports the steps of the level; ``more_names`` lead from what is shown to a private name, too."""
        index, names = solvable.prepared.level.index, {**solvable.brought.names, **more_names}
        return Progress(self.report, self._steps.next_number, level=index, names=names)

    def command(self, solvable: Solvable, build: BuildOrder, work: str, *more: str) -> list[str]:
        """The whole call, with ``more`` options; its sources are written into ``work``."""
        # The docker driver finds our names in its daemon only; the others have been pulled (see daemon_contexts).
        pulls = solvable.prepared.level.settings.pull and not self.builder.is_docker
        return [
            *self.builder.build,
            *buildkit_call.options(build),
            *solvable.brought.options,
            *(["--pull"] if pulls else []),
            *more,
            *buildkit_call.write_sources(build, work, self.report),
        ]

    def run(self, command: list[str], progress: Progress) -> None:
        """Run a call to its end.  Raises what ``failure`` makes of buildx's words."""
        lines = PlainProgress(progress)
        with buildkit_call.running(command) as child:
            if child.stderr is not None:
                for line in child.stderr:
                    lines.take(line)
            returncode = child.wait()
        if returncode != 0:
            raise self.failure(lines.failure, progress)
        progress.end_all()

    def failure(self, words: str, progress: Progress) -> DockerceptionError:
        """The error for a solve that buildx gave up with these words."""
        readable = progress.readable(words) or "buildx has not said why"
        progress.end_all(readable)
        name = f"The builder “{self.builder.name}”"
        if _NEEDS_CONTEXTS in words:
            return UnsupportedError(
                f"{name} is too old for named contexts (--build-context).",
                details=words,
                hint="use one with BuildKit 0.10 or newer; “docker buildx ls” shows the versions",
            )
        return build_failure(name, readable, progress.output)


def prepare(level: Level, contexts: Contexts, *, forces: bool = True) -> Prepared:
    """Read what a level's Dockerfile names."""
    references = References(
        level.dockerfile, level.settings, level.target, is_named=contexts.is_named, builds_all=False
    )
    return Prepared(level=level, references=references, contexts=contexts, forces=forces)


def order(prepared: Prepared, dockerfile: bytes) -> BuildOrder:
    """The order for a level."""
    level, settings = prepared.level, prepared.level.settings
    filters = settings.no_cache_filter if prepared.forces else frozenset()
    return BuildOrder(
        dockerfile=dockerfile,
        context=level.context,
        target=level.target,
        build_args=settings.build_args,
        network=settings.network,
        secrets=settings.secrets,
        ssh=settings.ssh,
        allow=settings.allow,
        limits=settings.limits,
        platform=settings.platform,
        no_cache=f"level:{level.index}" in filters or (settings.no_cache and prepared.forces),
        no_cache_stages=frozenset(name for name in filters if name != "emit" and not name.startswith("level:")),
        caches=tuple(cache_options(settings, level.index)),
    )
