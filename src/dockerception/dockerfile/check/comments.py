"""Comments that describe what follows them: InvalidDefinitionDescription, and the descriptions of an outline."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ..instructions import Arg, From, Instruction, Lines
from ..parser import Document
from ..stages import Dockerfile
from ..text import SPACES
from .findings import Finding
from .levels import levels_of

_DIRECTIVE = re.compile(r"#\s*(?:escape|syntax|check)\s*=", re.IGNORECASE)


def findings(dockerfile: Dockerfile) -> Iterator[Finding]:
    """One for each ARG and each named stage whose comment begins with another word."""
    for instruction, names in _definitions(dockerfile):
        comment = comment_above(dockerfile.document, instruction.location)
        if comment and comment.split(" ")[0] not in names:
            wanted = names[0] if len(names) == 1 else "NAME"
            text = f"The comment above {_keyword(instruction)} is no description: write “# {wanted} …”"
            yield Finding(rule="InvalidDefinitionDescription", text=text, location=instruction.location)


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
