"""What is asked of a daemon's builder."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

import msgspec

from ...context.base import Context
from ...limits import NONE, Limits
from ...reference import Platform
from ..base import Network, Secret, SshAgent
from .reporting import Progress


class BuildOrder(msgspec.Struct, frozen=True, kw_only=True):
    """One build: ``dockerfile`` is its text, whose names all mean something to the daemon.

    ``caches`` are options of BuildKit's command line (see ``caches``), which no other builder has.
    """

    dockerfile: bytes
    context: Context
    target: str = ""
    build_args: Mapping[str, str] = {}
    labels: Mapping[str, str] = {}
    network: Network = "default"
    secrets: tuple[Secret, ...] = ()
    ssh: tuple[SshAgent, ...] = ()
    allow: frozenset[str] = frozenset()
    limits: Limits = NONE
    platform: Platform
    no_cache: bool = False
    no_cache_stages: frozenset[str] = frozenset()
    caches: tuple[str, ...] = ()


class Builder(Protocol):
    """One way to build in a daemon.  ``builds_all_stages``: also those in front of the target that it does not need."""

    builds_all_stages: bool

    def build(self, order: BuildOrder, progress: Progress) -> str:
        """Build; returns the id of the image, which has no name.  Raises our own errors."""
