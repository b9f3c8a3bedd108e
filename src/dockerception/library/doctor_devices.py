"""What ``doctor`` says of devices that steps may ask for (CDI)."""

from __future__ import annotations

from ..engines.embedded.cdi import registry
from .findings import Check


def checks() -> list[Check]:
    """The findings."""
    found = registry.load(registry.DIRECTORIES)
    there = ", ".join(found.devices) or f"none are described in {', '.join(registry.DIRECTORIES)}"
    return [
        Check(
            name="devices",
            works=not found.problems,
            needed_for="RUN --device",
            detail=" ".join((*found.problems, f"There are: {there}.")) if found.problems else there,
            hint="mend or remove these files" if found.problems else "",
        )
    ]
