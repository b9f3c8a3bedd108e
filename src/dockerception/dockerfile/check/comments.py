"""Comments that describe what follows them: InvalidDefinitionDescription, and the descriptions of an outline."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable, Iterator

from ..instructions import Arg, From, Instruction, Lines
from ..parser import Document
from ..stages import Dockerfile, without_remark
from ..text import SPACES
from .findings import Finding
from .levels import levels_of

_DIRECTIVE = re.compile(r"#\s*(?:escape|syntax|check)\s*=", re.IGNORECASE)
_SKIP = re.compile(r"#+\s*check\s*=\s*skip\s*=(.*)", re.IGNORECASE)


def findings(dockerfile: Dockerfile) -> Iterator[Finding]:
    """One for each ARG and each named stage whose comment begins with another word."""
    for instruction, names in _definitions(dockerfile):
        comment = comment_above(dockerfile.document, instruction.location)
        if comment and comment.split(" ")[0] not in names:
            wanted = names[0] if len(names) == 1 else "NAME"
            text = f"The comment above {_keyword(instruction)} is no description: write “# {wanted} …”"
            yield Finding(rule="InvalidDefinitionDescription", text=text, location=instruction.location)


def skipped(document: Document) -> Callable[[int], frozenset[str]]:
    """What tells for a line the rules that the comments right above its instruction skip there."""
    starts = [node.start for node in document.nodes]
    first = _directive_lines(document)

    def at(line: int) -> frozenset[str]:
        position = bisect_right(starts, line) - 1
        return _skipped_above(document, first, starts[position]) if position >= 0 else frozenset()

    return at


def _directive_lines(document: Document) -> int:
    """How many lines at the top of the file are directives, which are about all of it."""
    lines = [line.strip(SPACES) for line in document.lines]
    start = 1 if lines and lines[0].startswith("#!") else 0
    return next((number for number in range(start, len(lines)) if not _DIRECTIVE.match(lines[number])), len(lines))


def _skipped_above(document: Document, first: int, start: int) -> frozenset[str]:
    names: set[str] = set()
    for number in range(start - 1, first, -1):
        line = document.lines[number - 1].strip(SPACES)
        if not line.startswith("#"):
            break
        if match := _SKIP.fullmatch(line):
            names.update(name.strip() for name in without_remark(match[1]).partition(";")[0].split(","))
    return frozenset(names)


def description(document: Document, location: Lines, name: str) -> str:
    """What the comment above ``location`` says of ``name``, empty where it describes something else or nothing."""
    first, _, rest = comment_above(document, location).partition(" ")
    return rest.strip() if first == name else ""


def comment_above(document: Document, location: Lines) -> str:
    """The text of the comment line right above; parser directives are none."""
    number = location.start - 1
    line = document.lines[number - 1].strip(SPACES) if number >= 1 else ""
    if not line.startswith("#"):
        return ""
    first = document.nodes[0].start if document.nodes else 0
    if number < first and _DIRECTIVE.match(line):
        return ""
    return line.lstrip("#").strip(SPACES)


def _definitions(dockerfile: Dockerfile) -> Iterator[tuple[Instruction, tuple[str, ...]]]:
    for level in levels_of(dockerfile):
        arguments = [*level.global_args]
        for stage in level.stages:
            arguments += [one for one in stage.instructions if isinstance(one, Arg)]
            if stage.name:
                yield stage.base, (stage.name,)
        for arg in arguments:
            yield arg, tuple(argument.name for argument in arg.arguments)


def _keyword(instruction: Instruction) -> str:
    return "FROM" if isinstance(instruction, From) else "ARG"
