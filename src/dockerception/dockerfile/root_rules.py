"""What IN and PUBLISH have to keep to, and which directory one names, before they are made plain stages (``roots``)."""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from ..errors import DockerfileError
from .instructions import Build, From, In, Instruction, Lines, Publish
from .parser import located
from .stages import Dockerfile, Stage
from .words import expand

_WILDCARDS: Final = frozenset("*?[]\\")


def check_root_rules(dockerfile: Dockerfile) -> None:
    """Raise ``DockerfileError`` with the lines of an IN or a PUBLISH that can't be built as it stands."""
    problem = _problem(dockerfile)
    if problem is not None:
        location, error = problem
        raise located(dockerfile.document, location.start, location.end, error)


def directory_of(text: str, escape: str) -> str:
    """The absolute path that a word of IN or PUBLISH names; empty where only the build will know it, because the word
    has a variable or begins at WORKDIR, and for a word that is none."""
    try:
        path = "" if "$" in text else expand(text, {}, escape=escape)
    except DockerfileError:
        return ""
    return f"/{posixpath.normpath(path).lstrip('/')}" if path.startswith("/") else ""


_Problem = tuple[Lines, DockerfileError]


def _problem(dockerfile: Dockerfile) -> _Problem | None:
    escape = dockerfile.directives.escape
    for stage in dockerfile.stages:
        problem = _misplaced(stage.instructions)
        if problem is not None:
            return problem
    return _named_twice(dockerfile.stages) or _not_published(dockerfile.stages, escape)


def _misplaced(instructions: Sequence[Instruction]) -> _Problem | None:
    """What may not stand in a block."""
    for block in (one for one in instructions if isinstance(one, In)):
        for inner in block.instructions:
            if isinstance(inner, Build):
                return inner.location, DockerfileError(
                    "BUILD can't stand in a block of IN.", hint="put it behind the block"
                )
            if isinstance(inner, Publish):
                return inner.location, DockerfileError(
                    "PUBLISH can't stand in a block of IN.", hint="put it at the end of the stage"
                )
        problem = _misplaced(block.instructions)
        if problem is not None:
            return problem
    return None


def _named_twice(stages: Iterable[Stage]) -> _Problem | None:
    """A block becomes a stage that is named where it stood: no other stage may have taken its name."""
    taken = {stage.name for stage in stages if stage.name}
    for base in (base for stage in stages for base in _bases_in(stage.instructions)):
        if base.name in taken:
            return base.location, DockerfileError(
                f"“{base.name}” is the name of another stage as well.", hint="give the block of IN a name of its own"
            )
        taken |= {base.name} if base.name else set()
    return None


def _bases_in(instructions: Iterable[Instruction]) -> Iterator[From]:
    for block in instructions:
        if isinstance(block, In):
            yield from (one for one in block.instructions if isinstance(one, From))
            yield from _bases_in(block.instructions)


def _not_published(stages: Iterable[Stage], escape: str) -> _Problem | None:
    found = [(stage, one) for stage in stages for one in stage.instructions if isinstance(one, Publish)]
    for number, (stage, publish) in enumerate(found):
        problem = hint = ""
        if number:
            problem, hint = "There is more than one PUBLISH.", "an image has one root: leave the others out"
        elif publish is not stage.instructions[-1]:
            problem, hint = "PUBLISH is not the last instruction of its stage.", "only BUILD may follow it"
        elif not directory_of(publish.directory, escape) or _WILDCARDS & set(directory_of(publish.directory, escape)):
            problem = f"PUBLISH takes the absolute path of one directory, not “{publish.directory}”."
            hint = "write PUBLISH /directory"
        if problem:
            return publish.location, DockerfileError(problem, hint=hint)
        for block in (one for one in stage.instructions if isinstance(one, In)):
            if not directory_of(block.directory, escape):
                return Lines(block.location.start, block.location.start), DockerfileError(
                    f"In a stage that ends with PUBLISH, IN takes an absolute path without variables, not"
                    f" “{block.directory}”.",
                    hint="write IN /directory {: whether it is the published one must be known before the build",
                )
    return None
