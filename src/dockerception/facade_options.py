"""The options of the Python API, typed: which there are for each function, and the request that they make.

Each has the type and the meaning of the field of ``request.BuildRequest`` of its name, but that any sequence does.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, TypedDict

from .engines.base import Network, Output, Secret, SshAgent
from .limits import Limits
from .reference import Platform, Reference
from .request import Isolation


class CheckOptions(TypedDict, total=False):
    """What says which Dockerfile is meant, and how it is read.  ``platform`` may be several, separated by commas."""

    dockerfile: str
    build_args: Mapping[str, str]
    build_contexts: Mapping[str, str]
    platform: str
    store: str


class _EveryOption(CheckOptions, total=False):
    """``max_depth`` is the most levels; ``max_context`` and ``keep_storage`` (the store's cap) are in bytes; ``epoch``
    is in seconds since 1970 (without it SOURCE_DATE_EPOCH, else now)."""

    target: str
    no_cache: bool
    no_cache_filter: Sequence[str]
    cache_from: Sequence[str]
    cache_to: Sequence[str]
    secrets: Sequence[Secret]
    ssh: Sequence[SshAgent]
    allow: Sequence[str]
    cdi_spec_dirs: Sequence[str]
    limits: Limits
    pull: bool
    explain: bool
    network: Network
    max_depth: int
    max_context: int
    max_entries: int
    epoch: int | None
    isolation: Isolation
    runtime: str
    emit_helper: str
    keep_storage: int | None


class ContextOptions(_EveryOption, total=False):
    """``command`` replaces the builder's CMD; ``emit_timeout`` is in seconds."""

    command: Sequence[str]
    emit_timeout: float


class AssembleOptions(_EveryOption, total=False):
    """What there is where an image is made."""

    tags: Sequence[str]
    labels: Mapping[str, str]
    outputs: Sequence[Output]


class BuildOptions(ContextOptions, AssembleOptions, total=False):
    """All options.  ``builder_tag`` is empty for a name made of the first tag."""

    builder_tag: str | None
    runtime_file: str
    runtime_dockerfile: str


_Convert = Callable[[Any], object]
_CONVERSIONS: Final[Mapping[str, _Convert]] = {
    **dict.fromkeys(("cache_from", "cache_to", "secrets", "ssh", "cdi_spec_dirs", "outputs", "command"), tuple),
    **dict.fromkeys(("no_cache_filter", "allow"), frozenset),
    "tags": lambda names: tuple(map(Reference.to_give, names)),
}


def check_names(function: str, options: Mapping[str, object], known: type) -> None:
    """Raise ``TypeError``, as Python does, for an option that a function has not."""
    for name in options:
        if name not in known.__annotations__:
            raise TypeError(f"{function}() got an unexpected keyword argument '{name}'")


def as_request(options: Mapping[str, object]) -> dict[str, Any]:
    """The options as the fields of a request."""
    fields = {name: _CONVERSIONS[name](value) if name in _CONVERSIONS else value for name, value in options.items()}
    if "platform" in fields:
        fields["platforms"] = Platform.parse_all(str(fields.pop("platform")))
    return fields
