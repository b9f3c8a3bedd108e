"""The end of a build: what chains have built is written out, and named when all of it has gone well.

A build for several platforms is several chains, whose images get one name together (image-spec image-index.md).
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from itertools import zip_longest

import msgspec

from ..dockerfile.stages import CHECK_VARIABLE
from ..engines.base import Built, Engine, Exported, Material, Result
from ..engines.outputs import names_to_give
from ..errors import UsageError
from ..progress import LevelFinished, Notice, Reporter
from ..reference import Platform, Reference
from ..request import BuildRequest


class Made(msgspec.Struct, frozen=True, kw_only=True):
    """What a chain has built for one platform, nothing of it named: the builders, and after them the last level.

    ``contexts`` are the keys of the builders' runs.
    """

    platform: Platform
    builders: tuple[Built, ...]
    last: Built
    contexts: tuple[str, ...] = ()
    materials: tuple[Material, ...] = ()
    is_cached: bool = False


class LevelSummary(msgspec.Struct, frozen=True, kw_only=True):
    """A level that was a builder: its key, its size in bytes (as far as known without work), and its image if named."""

    level: int
    key: str
    size: int
    is_cached: bool
    image: str = ""


class ForPlatform(msgspec.Struct, frozen=True, kw_only=True):
    """What came of a build for one platform: the last image, and the builders before it."""

    platform: Platform
    image: Result
    builders: tuple[LevelSummary, ...] = ()


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What a build came to, for each platform; what came from outside; the manifests that its outputs have written.

    ``image`` and ``builders`` are those of the first platform.
    """

    platforms: tuple[ForPlatform, ...]
    materials: tuple[Material, ...]
    exported: tuple[Exported, ...] = ()
    seconds: float
    is_cached: bool

    @property
    def image(self) -> Result:
        return self.platforms[0].image

    @property
    def builders(self) -> tuple[LevelSummary, ...]:
        return self.platforms[0].builders


def finish(
    all_made: Sequence[Made], request: BuildRequest, engine: Engine, report: Reporter, *, started: float
) -> Outcome:
    """Write the outputs and the caches, and when all are written give the names: a build that fails has named nothing.

    ``started`` is when the build began, by ``time.monotonic``.
    """
    _warn_of_unused([[*made.builders, made.last] for made in all_made], report)
    results = [
        msgspec.structs.replace(engine.publish(made.last, request.labels), names=request.tags) for made in all_made
    ]
    exported = [each for output in request.outputs for each in engine.export(results, output)]
    export_cache(all_made, request, engine)
    builders = name_builders([made.builders for made in all_made], request, engine, report)
    names = names_to_give(request.outputs, request.tags)
    if names:
        engine.name(results, names)
    for made, result in zip(all_made, results, strict=True):
        last = made.last
        report(
            LevelFinished(level=last.level, image=result.image, size=result.size, is_last=True, cached=last.is_cached)
        )
    return Outcome(
        platforms=tuple(
            ForPlatform(platform=made.platform, image=result, builders=summaries)
            for made, result, summaries in zip(all_made, results, builders, strict=True)
        ),
        materials=tuple(sorted({material for made in all_made for material in made.materials})),
        exported=tuple(exported),
        seconds=time.monotonic() - started,
        is_cached=all(made.is_cached for made in all_made),
    )


def export_cache(all_made: Sequence[Made], request: BuildRequest, engine: Engine) -> None:
    """Keep what was built where ``--cache-to`` says, for all platforms in one."""
    if request.cache_to:
        levels = [built for made in all_made for built in (*made.builders, made.last)]
        engine.export_cache(levels, [key for made in all_made for key in made.contexts])


def name_builders(
    chains: Sequence[Sequence[Built]], request: BuildRequest, engine: Engine, report: Reporter
) -> list[tuple[LevelSummary, ...]]:
    """Name the builders, if that is wanted: NAME, then NAME-1, …; each name is for all platforms.  Returns the
    summaries of each chain."""
    first = first_builder_name(request.builder_tag, request.tags)
    images: dict[int, str] = {}
    if first is not None:
        for level in zip_longest(*chains):
            found = [built for built in level if built is not None]
            number = found[0].level
            name = msgspec.structs.replace(first, tag=f"{first.tag}-{number}") if number else first
            results = [engine.publish(built, {}) for built in found]
            engine.name(results, (name,))
            images |= {id(built): result.image for built, result in zip(found, results, strict=True)}
    return [tuple(_summary(built, images.get(id(built), ""), engine, report) for built in chain) for chain in chains]


def first_builder_name(wanted: str | None, tags: tuple[Reference, ...]) -> Reference | None:
    """The name that ``--builder-tag`` gives to level 0; bare, it is made from the first tag.  Raises ``UsageError``."""
    if wanted is None:
        return None
    if wanted:
        return Reference.to_give(wanted)
    if not tags:
        raise UsageError(
            "--builder-tag without a name makes one from the first -t, but there is none.", hint="add -t NAME"
        )
    return msgspec.structs.replace(tags[0], path=f"{tags[0].path}-builder", digest=None)


def _summary(built: Built, image: str, engine: Engine, report: Reporter) -> LevelSummary:
    size = engine.size(built)
    report(LevelFinished(level=built.level, image=image, size=size, is_last=False, cached=built.is_cached))
    return LevelSummary(level=built.level, key=built.key, size=size, is_cached=built.is_cached, image=image)


def _warn_of_unused(chains: Sequence[Sequence[Built]], report: Reporter) -> None:
    unused = frozenset.intersection(*(built.unused_build_args for chain in chains for built in chain))
    if unused - {CHECK_VARIABLE}:
        names = ", ".join(sorted(unused - {CHECK_VARIABLE}))
        report(Notice(text=f"No ARG of any level declares the build argument {names}.", severity="warning"))
