"""Instructions to stages: the Dockerfile as a build uses it."""

from __future__ import annotations

import re
from collections.abc import Iterable

import msgspec

from ..errors import DockerfileError, UnsupportedError
from .instructions import (
    Arg,
    Build,
    Copy,
    From,
    In,
    Instruction,
    Lines,
    Run,
    print_instruction,
    read_instructions,
)
from .parser import Directives, Document, excerpt, located, parse_bytes
from .text import did_you_mean

_SYNTAX = re.compile(
    r"(?:[\w.-]+(?::\d+)?/)?(?:[\w.-]+/)*"  # a mirror's name
    r"docker/dockerfile(?:-upstream)?(?::[\w.-]+)?(?:@sha256:[0-9a-f]{64})?",
    re.ASCII,
)
CHECK_VARIABLE = "BUILDKIT_DOCKERFILE_CHECK"
"""The build argument that takes the place of the directive ``check``."""
_CHECK_OPTIONS = ("skip", "error", "experimental")


class Stage(msgspec.Struct, frozen=True, kw_only=True):
    """One stage: ``base`` is its FROM, ``instructions`` what follows.  ``name`` is in lower case, or empty."""

    index: int
    name: str
    base: From
    instructions: tuple[Instruction, ...]


class Dockerfile(msgspec.Struct, frozen=True, kw_only=True):
    """A whole file: the ARGs before the first FROM, and at least one stage."""

    document: Document
    global_args: tuple[Arg, ...]
    stages: tuple[Stage, ...]

    @property
    def directives(self) -> Directives:
        """The parser directives; ``directives.escape`` is what expansion needs."""
        return self.document.directives


def load(data: bytes, *, name: str = "Dockerfile") -> Dockerfile:
    """The Dockerfile in ``data``; ``name`` is what messages call it.

    Raises ``DockerfileError``, and ``UnsupportedError`` for a ``# syntax=`` that is another language.
    """
    return read(parse_bytes(data, name=name))


def read(document: Document) -> Dockerfile:
    """The stages of ``document``.  Raises as ``load`` does."""
    _check_directives(document)
    if not document.nodes:
        raise DockerfileError(f"{document.name}: the Dockerfile is empty.", hint="begin it with FROM image")
    global_args: list[Arg] = []
    stages: list[Stage] = []
    body: list[Instruction] = []
    for instruction in read_instructions(document):
        if isinstance(instruction, From):
            stages = _closed(stages, body)
            stages.append(Stage(index=len(stages), name=instruction.name, base=instruction, instructions=()))
            body = []
        elif stages:
            _check_follows_build(document, body, instruction)
            body.append(instruction)
        elif isinstance(instruction, Arg):
            global_args.append(instruction)
        else:
            raise _outside(document, instruction)
    if not stages:
        error = DockerfileError("There is no FROM, so there is no build stage.", hint="add FROM image, or FROM scratch")
        raise located(document, document.nodes[-1].start, document.nodes[-1].end, error)
    return Dockerfile(document=document, global_args=tuple(global_args), stages=tuple(_closed(stages, body)))


def find_stage(dockerfile: Dockerfile, target: str) -> Stage:
    """The stage that ``target`` names, in any case, or the one of that number; of several the last.

    Raises ``DockerfileError`` that lists the stages.
    """
    wanted = target.lower()
    for stage in reversed(dockerfile.stages):
        if wanted and wanted in (stage.name, str(stage.index)):
            return stage
    names = [stage.name or str(stage.index) for stage in dockerfile.stages]
    hint = did_you_mean(wanted, names, "name one of them, or the number of one, counted from 0")
    raise DockerfileError(
        f"{dockerfile.document.name} has no stage “{target}”: its stages are {', '.join(names)}.", hint=hint
    )


def references(stage: Stage) -> tuple[str, ...]:
    """What the stage reads besides its base, as written: names and numbers of stages, contexts and images."""
    return tuple(dict.fromkeys(_references(stage.instructions)))


def excerpt_for(dockerfile: Dockerfile, location: Lines, context: int = 2) -> str:
    """The lines of ``location`` marked with ``>>>``, with ``context`` lines around them."""
    return excerpt(dockerfile.document, location.start, location.end, context)


def shown_at(dockerfile: Dockerfile, location: Lines, error: DockerfileError) -> DockerfileError:
    """``error`` with its place in the file that a person wrote; one that has an excerpt already stays as it is."""
    return located(dockerfile.document, location.start, location.end, error)


def print_dockerfile(dockerfile: Dockerfile) -> str:
    """The Dockerfile as text without comments; reading it gives equal stages."""
    escape = dockerfile.directives.escape
    given = (
        ("escape", "" if escape == "\\" else escape),
        ("syntax", dockerfile.directives.syntax),
        ("check", dockerfile.directives.check),
    )
    parts = [f"# {key}={value}\n" for key, value in given if value]
    parts += [print_instruction(arg, escape=escape) for arg in dockerfile.global_args]
    for stage in dockerfile.stages:
        parts += [print_instruction(one, escape=escape) for one in (stage.base, *stage.instructions)]
    return "".join(parts)


def without_remark(text: str) -> str:
    """The value of a directive ``check`` without the remark behind ``//``."""
    return text.partition(" //")[0].rstrip()


def _references(instructions: Iterable[Instruction]) -> Iterable[str]:
    for instruction in instructions:
        match instruction:
            case Copy(from_=name) if name:
                yield name
            case Run(mounts=mounts):
                yield from (mount.from_ for mount in mounts if mount.from_)
            case In(instructions=inner):
                yield from _references(inner)


def _closed(stages: list[Stage], body: list[Instruction]) -> list[Stage]:
    """``stages`` with ``body`` as the instructions of the last."""
    if not stages:
        return []
    return [*stages[:-1], msgspec.structs.replace(stages[-1], instructions=tuple(body))]


def _check_follows_build(document: Document, body: list[Instruction], instruction: Instruction) -> None:
    """Behind BUILD the next level begins, so there is an ARG or FROM, or nothing."""
    if any(isinstance(one, Build) for one in body) and not isinstance(instruction, Arg):
        raise _outside(document, instruction)


def _outside(document: Document, instruction: Instruction) -> DockerfileError:
    keyword = instruction.original.partition(" ")[0]
    error = DockerfileError(
        f"{keyword} stands before FROM, so there is no build stage for it.", hint="only ARG may stand before FROM"
    )
    return located(document, instruction.location.start, instruction.location.end, error)


def _check_directives(document: Document) -> None:
    directives = document.directives
    syntax = directives.syntax.partition(" ")[0]
    if syntax and not _SYNTAX.fullmatch(syntax):
        error: DockerfileError = UnsupportedError(
            f"The directive “# syntax={syntax}” asks for another front end, which is an image to run.",
            hint="remove the directive, or use docker/dockerfile:1, if this is a Dockerfile",
        )
        raise _at_directive(document, "syntax", error)
    for option in filter(None, without_remark(directives.check).split(";")):
        key = option.partition("=")[0].strip()
        if key not in _CHECK_OPTIONS or "=" not in option:
            error = DockerfileError(f"The directive “check” has no option “{option}”.", hint="write skip=…;error=true")
            raise _at_directive(document, "check", error)


def _at_directive(document: Document, key: str, error: DockerfileError) -> DockerfileError:
    number = next(
        (number for number, line in enumerate(document.lines, 1) if re.match(rf"\W*{key}\s*=", line, re.IGNORECASE)), 1
    )
    return located(document, number, number, error)
