"""BUILD: one Dockerfile to the levels that are written in it, each a plain Dockerfile.

FROM golang AS build        level 0 …
BUILD /out                  … whose directory /out is the context of level 1
FROM scratch                level 1, to the next BUILD or the end
"""

from __future__ import annotations

from typing import Final

import msgspec

from ..errors import DockerfileError
from .instructions import Build
from .parser import Document, excerpt, located
from .rewriting import directive_lines, lines_of, rewritten
from .roots import plain_names, with_plain_stages
from .stages import Dockerfile

STDOUT: Final = "-"


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """One level of a file: a plain Dockerfile, and the BUILD behind it, None where the file ends without one.

    ``document`` is the whole file, where the BUILD stands.  ``names`` are what the stages that are written are called
    in the plain Dockerfile, where their numbers are others there (see ``roots``).
    """

    dockerfile: Dockerfile
    build: Build | None
    document: Document
    names: tuple[str, ...] = ()

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

    Raises ``DockerfileError`` for a BUILD that names a Dockerfile though instructions follow it, and as
    ``check_root_rules`` does.
    """
    document = dockerfile.document
    builds = [one for stage in dockerfile.stages for one in stage.instructions if isinstance(one, Build)]
    if not builds:
        return (_plain(dockerfile, None, document),)
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


def find_target(parts: tuple[Part, ...], target: str) -> tuple[int, str]:
    """The number of the level in which a stage is, and what it is called there; a stage's number means one of level 0.

    One that is not found is left to level 0, whose engine says which stages there are.  Raises ``DockerfileError`` for
    a number that only a stage has that nobody wrote.
    """
    names = parts[0].names
    if target.isdigit() and names:
        if int(target) >= len(names):
            raise DockerfileError(
                f"{parts[0].document.name} has no stage “{target}”: its stages are {', '.join(names)}.",
                hint="name one of them, or the number of one, counted from 0",
            )
        return 0, names[int(target)]
    for number, part in enumerate(parts):
        if any(target.lower() == stage.name for stage in part.dockerfile.stages):
            return number, target
    return 0, target


def _part(document: Document, start: int, end: int, build: Build | None) -> Part:
    if not any(start <= node.start <= end and node.keyword != "ARG" for node in document.nodes):
        error = DockerfileError("Behind BUILD there is no FROM.", hint="add FROM image, or leave the ARG out")
        raise located(document, start, end, error)
    # An empty line ends the directives: a comment that looks like one is none behind BUILD.
    above = [*directive_lines(document), ("", start)] if start > 1 else []
    return _plain(rewritten(document, [*above, *lines_of(document, start, end)]), build, document)


def _plain(dockerfile: Dockerfile, build: Build | None, document: Document) -> Part:
    return Part(dockerfile=with_plain_stages(dockerfile), build=build, document=document, names=plain_names(dockerfile))


def _check_argument(part: Part) -> None:
    """Of a part that is followed by another one."""
    if part.build is not None and part.build.dockerfile:
        raise part.located(
            DockerfileError(
                f"BUILD names the Dockerfile {part.build.dockerfile}, and instructions follow it as well.",
                hint="leave one of the two out: what follows BUILD is the Dockerfile of the next level",
            )
        )
