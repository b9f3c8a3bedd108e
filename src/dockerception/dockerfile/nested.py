"""BUILD: one Dockerfile to the levels that are written in it, each a plain Dockerfile.

FROM golang AS build        level 0 …
BUILD /out                  … whose directory /out is the context of level 1
FROM scratch                level 1, to the next BUILD or the end
"""

from __future__ import annotations

from typing import Final

import msgspec

from ..errors import DockerfileError
from .instructions import Build, From, In, Instruction
from .parser import Document, excerpt, located
from .rewriting import directive_lines, lines_of, rewritten
from .roots import with_plain_stages
from .stages import Dockerfile, Stage

STDOUT: Final = "-"


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """One level of a file: a plain Dockerfile, and the BUILD behind it, None where the file ends without one.

    ``document`` is the whole file, where the BUILD stands.
    """

    dockerfile: Dockerfile
    build: Build | None
    document: Document

    @property
    def escape(self) -> str:
        """The escape character of the file."""
        return self.document.directives.escape

    @property
    def excerpt(self) -> str:
        """The lines of the BUILD, as messages show them; nothing where there is none."""
        return excerpt(self.document, self.build.location.start, self.build.location.end) if self.build else ""

    def located(self, error: DockerfileError) -> DockerfileError:
        """``error`` with the lines of the BUILD."""
        if self.build is None:
            return error
        return located(self.document, self.build.location.start, self.build.location.end, error)


def split(dockerfile: Dockerfile) -> tuple[Part, ...]:
    """The levels of a file.  The last one has a BUILD where the next Dockerfile is in the context that it names.

    Raises ``DockerfileError`` for a BUILD in a block, for one that names a Dockerfile though instructions follow it,
    and as ``roots`` does.
    """
    document = dockerfile.document
    builds = [one for stage in dockerfile.stages for one in stage.instructions if isinstance(one, Build)]
    _check_blocks(document, [one for stage in dockerfile.stages for one in stage.instructions])
    if not builds:
        return (Part(dockerfile=with_plain_stages(dockerfile), build=None, document=document),)
    parts: list[Part] = []
    start = 1
    for build in builds:
        parts.append(_part(document, start, build.location.start - 1, build))
        start = build.location.end + 1
    if any(node.start >= start for node in document.nodes):
        parts.append(_part(document, start, len(document.lines), None))
    for part in parts[:-1]:
        _check_argument(part)
    return tuple(parts)


def has_build(dockerfile: Dockerfile) -> bool:
    """Whether a file has levels of its own."""
    return any(isinstance(one, Build) for stage in dockerfile.stages for one in stage.instructions)


def find_stage_of(parts: tuple[Part, ...], target: str) -> int | None:
    """The number of the level in which a stage of this name is; a stage's number means one of level 0."""
    wanted = target.lower()
    for number, part in enumerate(parts):
        if any(_is_named(stage, wanted, number) for stage in part.dockerfile.stages):
            return number
    return None


def _is_named(stage: Stage, wanted: str, level: int) -> bool:
    return wanted == stage.name or (level == 0 and wanted == str(stage.index))


def _part(document: Document, start: int, end: int, build: Build | None) -> Part:
    if not any(start <= node.start <= end and node.keyword != "ARG" for node in document.nodes):
        error = DockerfileError("Behind BUILD there is no FROM.", hint="add FROM image, or leave the ARG out")
        raise located(document, start, end, error)
    lines = [*(directive_lines(document) if start > 1 else []), *lines_of(document, start, end)]
    return Part(dockerfile=with_plain_stages(rewritten(document, lines)), build=build, document=document)


def _check_argument(part: Part) -> None:
    """Of a part that is followed by another one."""
    if part.build is not None and part.build.dockerfile:
        raise part.located(
            DockerfileError(
                f"BUILD names the Dockerfile {part.build.dockerfile}, and instructions follow it as well.",
                hint="leave one of the two out: what follows BUILD is the Dockerfile of the next level",
            )
        )


def _check_blocks(document: Document, instructions: list[Instruction]) -> None:
    for block in (one for one in instructions if isinstance(one, In)):
        for inner in block.instructions:
            if isinstance(inner, Build):
                error = DockerfileError("BUILD can't stand in a block of IN.", hint="put it behind the block")
                raise located(document, inner.location.start, inner.location.end, error)
        _check_blocks(document, [one for one in block.instructions if not isinstance(one, From)])
