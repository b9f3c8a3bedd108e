"""A Dockerfile made of lines of another one: what messages show of it are still the lines that a person wrote."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from .parser import Directives, Document, Written, lines_written, parse
from .stages import Dockerfile, read

Line = tuple[str, int]
"""A line, and the number of the line of the other document that it is or stands for."""


def lines_of(document: Document, start: int, end: int) -> list[Line]:
    """These lines of a document as they are."""
    return [(document.lines[number - 1], number) for number in range(start, end + 1)]


def rewritten(document: Document, lines: Sequence[Line]) -> Dockerfile:
    """The Dockerfile that has these lines.  Raises ``DockerfileError`` as reading any other does."""
    original = document.written.lines if document.written is not None else document.lines
    numbers = tuple(lines_written(document, number, number)[0] for _, number in lines)
    parsed = parse("".join(f"{text}\n" for text, _ in lines), name=document.name)
    return read(msgspec.structs.replace(parsed, written=Written(original, numbers)))


def directive_lines(document: Document) -> list[Line]:
    """The lines that hold the parser directives; a part of the file needs them too."""
    if document.nodes and document.directives != Directives():
        return [line for line in lines_of(document, 1, document.nodes[0].start - 1) if line[0].lstrip().startswith("#")]
    return []
