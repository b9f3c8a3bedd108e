"""What ``doctor`` says of other programs that are called."""

from __future__ import annotations

from .. import process
from .findings import Check


def checks() -> list[Check]:
    """The findings."""
    return [_tool("mmdebstrap", "mmdebstrap", "apt:// bases")]


def _tool(name: str, package: str, needed_for: str) -> Check:
    path = process.find(name)
    return Check(
        name=name,
        works=path is not None,
        needed_for=needed_for,
        detail=path or "not installed",
        hint="" if path else f"apt-get install {package}",
    )
