"""How the text is written: StageNameCasing, FromAsCasing, ConsistentInstructionCasing, NoEmptyContinuation."""

from __future__ import annotations

from collections.abc import Iterator

from ..instructions import Lines
from ..parser import Document, Node, is_continued
from ..text import SPACES, split_arguments
from .findings import Finding

_END_OF_BLOCK = "}"


def findings(document: Document) -> Iterator[Finding]:
    """Those of all four rules."""
    for node in document.nodes:
        if node.keyword == "FROM":
            yield from _names_of_stages(document, node)
        yield from _empty_continuations(document, node)
    yield from _cases(document)


def keyword_of(document: Document, node: Node) -> str:
    """The keyword of an instruction as it is written."""
    words = split_arguments(document.lines[node.start - 1], 1)
    is_whole = bool(words) and words[0].upper() == node.keyword  # a keyword may be cut by a continuation
    return words[0] if is_whole else node.keyword


def _names_of_stages(document: Document, node: Node) -> Iterator[Finding]:
    words = split_arguments(node.rest)
    if len(words) != 3:
        return
    location = Lines(node.start, node.end)
    if words[2] != words[2].lower():
        text = f"The stage name “{words[2]}” has upper-case letters"
        yield Finding(rule="StageNameCasing", text=text, location=location)
    keyword = keyword_of(document, node)
    is_upper, is_lower = keyword == keyword.upper(), keyword == keyword.lower()
    if (is_upper and words[1] != "AS") or (is_lower and words[1] != "as"):
        text = f"“{words[1]}” is not in the case of “{keyword}”"
        yield Finding(rule="FromAsCasing", text=text, location=location)


def _cases(document: Document) -> Iterator[Finding]:
    """Every instruction that is not in the case of the majority; ARGs before the first FROM have no part in it."""
    first = next((number for number, node in enumerate(document.nodes) if node.keyword == "FROM"), 0)
    written = [(node, keyword_of(document, node)) for node in document.nodes[first:] if node.keyword != _END_OF_BLOCK]
    lower = sum(keyword == keyword.lower() for _, keyword in written)
    upper = sum(keyword == keyword.upper() for _, keyword in written)
    wanted = "lower" if lower > upper else "upper"
    for node, keyword in written:
        if keyword != (keyword.lower() if wanted == "lower" else keyword.upper()):
            text = f"“{keyword}” is not in {wanted} case, as most instructions here are"
            yield Finding(rule="ConsistentInstructionCasing", text=text, location=Lines(node.start, node.end))


def _empty_continuations(document: Document, node: Node) -> Iterator[Finding]:
    """One finding an instruction, at the last line of it, where BuildKit puts it too."""
    has_blank, position = False, node.start
    line = document.lines[position - 1]
    is_open = is_continued(line, document.directives.escape)
    while is_open and position < len(document.lines):
        line = document.lines[position].lstrip(SPACES)
        position += 1
        has_blank |= not line
        if line and not line.startswith("#"):
            is_open = is_continued(line, document.directives.escape)
    if has_blank:
        text = "A blank line stands between continued lines"
        yield Finding(rule="NoEmptyContinuation", text=text, location=Lines(position, position))
