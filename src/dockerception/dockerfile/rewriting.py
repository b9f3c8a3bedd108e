"""A Dockerfile made of lines of another one: what messages show of it are still the lines that a person wrote."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence

import msgspec

from .parser import Directives, Document, Node, Written, lines_written, parse
from .stages import Dockerfile, read

Line = tuple[str, int]
"""A line, and the number of the line of the other document that it is or stands for."""


def lines_of(document: Document, start: int, end: int) -> list[Line]:
    """These lines of a document as they are; those of here-documents keep the CR that they may end in."""
    found = [(document.lines[number - 1], number) for number in range(start, end + 1)]
    for node in document.nodes[bisect_left(document.nodes, start, key=lambda node: node.end) :]:
        if node.start > end:
            break
        contents = _contents(node)
        for number, text in enumerate(contents, node.end - len(contents) + 1):
            if start <= number <= end:
                found[number - start] = (text, number)
    return found


def exact_lines(document: Document) -> list[str]:
    """All lines, as they have to be written for another reader."""
    return [text for text, _ in lines_of(document, 1, len(document.lines))]


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


def _contents(node: Node) -> list[str]:
    """The lines of a node's here-documents, each with the line that ends it."""
    found: list[str] = []
    for heredoc in node.heredocs:
        found += [*heredoc.content.split("\n")[:-1], heredoc.name]
    return found
