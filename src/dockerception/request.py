"""What a person or a program asks for: one frozen value, made once at the edge."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import Final, Literal

import msgspec

from .engines.base import EPOCH_VARIABLE, Network, Output, Secret, SshAgent
from .errors import UsageError
from .limits import NONE, Limits
from .oci.stream_limits import DEFAULT_ENTRIES, of_contexts
from .oci.stream_limits import Limits as StreamLimits
from .reference import Platform, Reference

DEFAULT_EMIT_TIMEOUT: Final = 600.0
DEFAULT_MAX_DEPTH: Final = 8
DEFAULT_MAX_CONTEXT: Final = 64 << 30

Isolation = Literal["auto", "oci", "chroot"]


class BuildRequest(msgspec.Struct, frozen=True, kw_only=True):
    """One build, assemble or context, with every option resolved (docs/reference/cli has their meaning).

    ``source`` is a directory or ``-``: then ``read_stdin(n)`` gives the bytes.  ``dockerfile`` is a path, ``-``, or
    empty for ``<source>/Dockerfile``.  ``builder_tag`` is None for none, empty for a name derived from the first tag.
    ``engine`` is a name (``engines.choice``), empty for the user's default.  ``emit_helper`` is an image or a path, for
    the engine buildx.  ``platforms`` are those to build for, none for this machine's.  ``max_depth`` is the most levels
    that a chain may have.  ``emit_timeout`` is in seconds, ``max_context`` in bytes and ``max_entries`` a count (0: no
    limit), ``epoch`` in seconds since 1970.  ``keep_storage`` is the store's cap in bytes, None for the user's default.
    """

    source: str = "."
    read_stdin: Callable[[int], bytes] | None = None
    dockerfile: str = ""
    tags: tuple[Reference, ...] = ()
    build_args: Mapping[str, str] = {}
    build_contexts: Mapping[str, str] = {}
    target: str = ""
    labels: Mapping[str, str] = {}
    no_cache: bool = False
    no_cache_filter: frozenset[str] = frozenset()
    cache_from: tuple[str, ...] = ()
    cache_to: tuple[str, ...] = ()
    secrets: tuple[Secret, ...] = ()
    ssh: tuple[SshAgent, ...] = ()
    allow: frozenset[str] = frozenset()
    cdi_spec_dirs: tuple[str, ...] = ()
    limits: Limits = NONE
    pull: bool = False
    explain: bool = False
    network: Network = "default"
    platforms: tuple[Platform, ...] = ()
    outputs: tuple[Output, ...] = ()
    builder_tag: str | None = None
    runtime_file: str = ""
    runtime_dockerfile: str = ""
    command: tuple[str, ...] = ()
    emit_timeout: float = DEFAULT_EMIT_TIMEOUT
    max_depth: int = DEFAULT_MAX_DEPTH
    max_context: int = DEFAULT_MAX_CONTEXT
    max_entries: int = DEFAULT_ENTRIES
    epoch: int | None = None
    store: str = ""
    keep_storage: int | None = None
    isolation: Isolation = "auto"
    runtime: str = ""
    engine: str = ""
    emit_helper: str = ""

    @property
    def platform(self) -> Platform | None:
        """The platform to build for, the first of several."""
        return self.platforms[0] if self.platforms else None

    @property
    def stream_limits(self) -> StreamLimits:
        """What a context may ask of us that comes as a stream."""
        return of_contexts(self.max_context, self.max_entries)

    @property
    def place(self) -> str:
        """What tells the sources from others on this machine: where they and their Dockerfile are."""
        source = os.path.realpath(self.source) if os.path.isdir(self.source) else self.source
        return f"{source} {os.path.realpath(self.dockerfile) if os.path.isfile(self.dockerfile) else self.dockerfile}"


def find_epoch(build_args: Mapping[str, str]) -> int | None:
    """``SOURCE_DATE_EPOCH`` in seconds, of a build argument, else of the environment; None where it is not set.

    Raises ``UsageError`` if it is no number.
    """
    text = build_args.get(EPOCH_VARIABLE, os.environ.get(EPOCH_VARIABLE, ""))
    if not text:
        return None
    if not (text.isascii() and text.isdigit()):
        raise UsageError(f"{EPOCH_VARIABLE} is “{text}”.", hint="set it to whole seconds since 1970, or unset it")
    return int(text)
