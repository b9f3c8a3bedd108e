"""What IN and PUBLISH demand, checked from outside where an engine only knows plain COPY: nothing wrong is built.

``IN /root`` needs that /root is empty; ``PUBLISH /root`` that nothing of the block has been deleted since, which no
COPY can say.  Both are told from lists of files that the engine gives.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterator
from fnmatch import fnmatchcase
from typing import Final

import msgspec

from ..dockerfile.instructions import Copy
from ..dockerfile.parser import located
from ..dockerfile.rewriting import lines_of, rewritten
from ..dockerfile.stages import Stage, excerpt_for, find_stage
from ..engines.base import Built, Engine, Level
from ..engines.directories import occupied
from ..errors import ContextError, DockerfileError, UnsupportedError
from ..oci.config import ContainerConfig
from .variables import absolute, expanded_path

_MADE_FOR_CONTAINERS: Final = (
    *("dev", "dev/*", "proc", "proc/*", "sys", "sys/*", "run", "run/*"),
    *(".dockerenv", "etc", "etc/hosts", "etc/hostname", "etc/resolv.conf", "etc/mtab"),
)
"""What a daemon adds to the files of an image when it makes a container."""


def check_roots(engine: Engine, level: Level) -> None:
    """Raise ``DockerfileError`` where the directory of an IN block holds something, and ``UnsupportedError`` where
    something of it has been deleted before PUBLISH."""
    for stage, copy in _marked(level):
        try:
            if copy.root == "in":
                _check_is_free(engine, level, stage, copy)
            else:
                _check_is_whole(engine, level, stage, copy)
        except DockerfileError as error:
            raise located(level.dockerfile.document, copy.location.start, copy.location.end, error) from error
        except ContextError as error:
            error.details = error.details or excerpt_for(level.dockerfile, copy.location)
            raise


def _marked(level: Level) -> Iterator[tuple[Stage, Copy]]:
    for stage in level.dockerfile.stages:
        yield from ((stage, one) for one in stage.instructions if isinstance(one, Copy) and one.root)


def _check_is_free(engine: Engine, level: Level, stage: Stage, copy: Copy) -> None:
    document = level.dockerfile.document
    before = rewritten(document, lines_of(document, 1, copy.location.start - 1))
    built = _built(engine, msgspec.structs.replace(level, dockerfile=before), "")
    path = expanded_path(copy.destination, before, before.stages[-1], built.config.config, level.settings)
    names = _names(engine, built, path)
    if names:
        raise occupied(path.lstrip("/"), [posixpath.join(path, name).lstrip("/") for name in names if "/" not in name])


def _check_is_whole(engine: Engine, level: Level, stage: Stage, copy: Copy) -> None:
    path = absolute(copy.sources[0], ContainerConfig())
    try:
        published = engine.directory(_built(engine, level, copy.from_), path)
    except (ContextError, DockerfileError) as error:
        raise ContextError(
            f"PUBLISH takes a directory, and there is none at {path} of the image.", hint="make it in a RUN before"
        ) from error
    if _begins_empty(level, stage):
        return
    outer = {entry.path for entry in published.walk("")}
    block = _names(engine, _built(engine, level, stage.base.base), "/")
    gone = [name for name in block if name not in outer and not _is_made(name)]
    if gone:
        raise UnsupportedError(
            f"{engine.capabilities.name} can't publish a directory from which something of its block was deleted:"
            f" /{gone[0]}.",
            hint="delete it in the block, or use the embedded engine",
        )


def _begins_empty(level: Level, stage: Stage) -> bool:
    """Whether nothing is below the published files; some builders can't make an image of nothing."""
    if stage.base.base == "scratch":
        return True
    block = find_stage(level.dockerfile, stage.base.base)
    return block.base.base == "scratch" and not block.instructions


def _built(engine: Engine, level: Level, target: str) -> Built:
    return engine.build(msgspec.structs.replace(level, target=target, will_emit=True))


def _names(engine: Engine, built: Built, path: str) -> list[str]:
    try:
        return [entry.path for entry in engine.directory(built, path).walk("") if entry.path]
    except (ContextError, DockerfileError):
        return []  # it is not there, or not of the image


def _is_made(name: str) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in _MADE_FOR_CONTAINERS)
