"""COPY and ADD: CopyIgnoredFile."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator

from ..instructions import Add, Copy, Instruction, is_remote
from .findings import Facts, Finding
from .variables import Scope, known_text


def findings(instruction: Instruction, scope: Scope, facts: Facts) -> Iterator[Finding]:
    """One for each source of the context that the ignore file leaves out."""
    if facts.is_ignored is None or not isinstance(instruction, Copy | Add):
        return
    if isinstance(instruction, Copy) and instruction.from_:
        return
    keyword = "COPY" if isinstance(instruction, Copy) else "ADD"
    for source in instruction.sources:
        path = known_text(source, scope)
        if path is None or (isinstance(instruction, Add) and is_remote(path)):
            continue
        if facts.is_ignored(posixpath.normpath(_literal(path).lstrip("/") or ".")):
            text = f"{keyword} names “{source}”, which .dockerignore leaves out"
            yield Finding(rule="CopyIgnoredFile", text=text, location=instruction.location)


def _literal(path: str) -> str:
    """The part of a source in front of its first component with a wildcard."""
    match = re.search(r"[^/]*[*?\[]", path)
    return path if match is None else path[: match.start()]
