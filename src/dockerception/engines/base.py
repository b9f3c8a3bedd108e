"""The Engine protocol and the frozen values that cross it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, Literal, Protocol

import msgspec

from ..context.base import Context
from ..dockerfile.stages import Dockerfile
from ..limits import NONE, Limits
from ..oci.config import ImageConfig
from ..oci.stream_limits import Limits as StreamLimits
from ..reference import Platform, Reference

Network = Literal["default", "none", "host"]

PROXY_VARIABLES: Final = ("HTTP_PROXY", "HTTPS_PROXY", "FTP_PROXY", "NO_PROXY", "ALL_PROXY")
"""A RUN sees them, in upper and lower case, without an ARG; then they enter neither keys nor images."""

EPOCH_VARIABLE: Final = "SOURCE_DATE_EPOCH"

UNDECLARED_ARGS: Final = frozenset({EPOCH_VARIABLE, *PROXY_VARIABLES, *(name.lower() for name in PROXY_VARIABLES)})
"""Build arguments that mean something without an ARG."""


class Output(msgspec.Struct, frozen=True, kw_only=True):
    """One ``-o/--output``: ``type`` is docker, oci, tar, local or image; ``destination`` a path, or ``-`` for stdout.

    ``attributes`` are the remaining ``key=value`` pairs as given.
    """

    type: str
    destination: str = ""
    attributes: tuple[tuple[str, str], ...] = ()


class Secret(msgspec.Struct, frozen=True, kw_only=True):
    """What steps may read and nothing may keep: not its value, but where that is found when a step asks for it.

    Either ``file``, a path, or ``env``, the name of a variable of this process, is given.
    """

    id: str
    file: str = ""
    env: str = ""


class SshAgent(msgspec.Struct, frozen=True, kw_only=True):
    """An ssh agent that steps may use: the one at ``socket``, or one that holds ``keys``, paths of files.

    Without either it is that of ``SSH_AUTH_SOCK``.
    """

    id: str
    socket: str = ""
    keys: tuple[str, ...] = ()


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """What holds for every level of a build.

    ``build_args`` values of None are taken from the environment by the caller before.  ``build_contexts`` maps a name
    to what was written for it.  ``epoch`` is the time, in seconds, that lands in images; ``is_epoch_fixed`` says that
    it came from SOURCE_DATE_EPOCH, ``is_platform_fixed`` that somebody asked for the platform.  ``no_cache_filter``
    names stages, ``level:N`` and ``emit``.
    ``cache_from`` and ``cache_to`` are as ``docker buildx build`` has them.  ``secrets`` and ``ssh`` are what steps
    find by their ids; ``allow`` is what they may do beyond the ordinary (see ``privileges``), ``limits`` what they and
    builders may use.  ``explain`` asks for a
    ``StepExplained`` of steps that have to be done again.  ``started`` is when the build began, whatever the epoch is:
    the time of files that have no other.  ``rewrites_times`` asks for published images in which nothing that a
    Dockerfile adds is newer than the epoch, which is fixed then.
    """

    build_args: Mapping[str, str] = {}
    build_contexts: Mapping[str, str] = {}
    proxies: Mapping[str, str] = {}
    network: Network = "default"
    platform: Platform
    is_platform_fixed: bool = False
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
    epoch: int
    is_epoch_fixed: bool = False
    started: int = 0
    rewrites_times: bool = False
    stream_limits: StreamLimits = StreamLimits()


class Level(msgspec.Struct, frozen=True, kw_only=True):
    """One build of the chain.  ``will_emit`` says that its image is going to be run as a builder.  ``place`` tells the
    sources of the chain from others on this machine; it is for explanations, and in no key."""

    index: int
    place: str = ""
    dockerfile: Dockerfile
    context: Context
    target: str = ""
    will_emit: bool = False
    settings: Settings


class Material(msgspec.Struct, frozen=True, order=True):
    """Something that came from outside: its kind (image, context, url …), the name it was asked by, and its digest."""

    kind: str
    name: str
    digest: str


class Built(msgspec.Struct, frozen=True, kw_only=True):
    """A built level.  An equal ``key`` means an equal image, here or on another machine.

    ``handle`` is the engine's own; ``config`` has the fields that matter for running, its ``diff_ids`` may be missing.
    ``unused_build_args`` are those that no ARG of the level declared.
    """

    level: int
    key: str
    config: ImageConfig
    is_cached: bool
    materials: tuple[Material, ...] = ()
    unused_build_args: frozenset[str] = frozenset()
    handle: object = None


class EmitRequest(msgspec.Struct, frozen=True, kw_only=True):
    """How to run a builder: ``command`` replaces CMD, not ENTRYPOINT, when it is not empty.

    ``timeout`` is the longest silence, on stdout and stderr, in seconds.
    """

    command: tuple[str, ...] = ()
    network: Network = "default"
    limits: Limits = NONE
    timeout: float


class Emission(Protocol):
    """A builder at work: ``read`` its stdout to the end, then ``finish``; ``close`` it whatever happened."""

    def read(self, size: int) -> bytes:
        """At most ``size`` bytes of stdout, none at the end.  Raises ``EmitTimeoutError`` after too long a silence."""

    def drain(self, seconds: float) -> bool:
        """Throw away what is still to come on stdout, for at most so long; returns whether its end has come."""

    def finish(self) -> None:
        """Wait for the end.  Raises ``BuilderError`` unless it was exit code 0; ``EmitTimeoutError`` as ``read``."""

    def close(self) -> None:
        """Leave no process and no container behind, whatever state it is in.  Further calls do nothing."""


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """A published image: ``image`` is the config's digest; sizes in bytes, uncompressed.  ``epoch`` is the time of
    SOURCE_DATE_EPOCH in seconds, None without one: all files have it that leave without an image."""

    image: str
    size: int
    names: tuple[Reference, ...] = ()
    layers: tuple[str, ...] = ()
    epoch: int | None = None


class Exported(msgspec.Struct, frozen=True, kw_only=True):
    """A manifest that an output has written: its digest, media type and size in bytes.  ``name`` leads to it there; it
    is empty where nothing does."""

    digest: str
    media_type: str
    size: int
    name: str = ""


class Capabilities(msgspec.Struct, frozen=True, kw_only=True):
    """What an engine can do beyond the protocol; ``name`` is what messages call it.

    ``indexes``: write images for several platforms under one name.  ``stage_filters``: stages in ``no_cache_filter``.
    ``epoch``: write the given time into images.  ``rewrites``: rewrite times of files to it.
    ``caches``: read and write caches elsewhere (``cache_from``).
    ``explains``: say why steps miss.  ``secrets``, ``ssh``: have steps read them.
    ``insecure``: run steps with all privileges.  ``limits``: those of ``limits.OPTIONS`` that it obeys.
    ``roots``: obey the marks of IN and PUBLISH (``Copy.root``); where it does not, they are checked from outside.
    """

    name: str
    indexes: bool = False
    stage_filters: bool = True
    epoch: bool = True
    rewrites: bool = False
    caches: bool = False
    explains: bool = False
    secrets: bool = True
    ssh: bool = True
    insecure: bool = True
    roots: bool = False
    limits: frozenset[str] = frozenset()


class Engine(Protocol):
    """Builds levels.  All methods raise our own errors only; a failed one leaves nothing behind."""

    @property
    def capabilities(self) -> Capabilities:
        """What it can do; asked before any work starts."""

    def build(self, level: Level) -> Built:
        """Build one level; idempotent where its key is known."""

    def emit(self, built: Built, request: EmitRequest, step: int) -> Emission:
        """Start the built image as a builder.  What it writes to stderr is reported as the log of ``step``."""

    def directory(self, built: Built, path: str) -> Context:
        """What is in a directory of a built level's image, an absolute path whose links are followed inside of it.

        Raises ``ContextError`` where there is none.  Owners do not count, and no program of the image is run.
        """

    def publish(self, built: Built, labels: Mapping[str, str]) -> Result:
        """Make the image whole, with these labels.  Idempotent."""

    def name(self, results: Sequence[Result], names: Sequence[Reference]) -> None:
        """Give published images these names, all or none.  Several are for different platforms, and have each name
        together.  What a name led to before, for any platform, it leads to no more."""

    def size(self, built: Built) -> int:
        """The size of a built level in bytes, uncompressed, as far as it is known without work."""

    def export(self, results: Sequence[Result], output: Output) -> tuple[Exported, ...]:
        """Write published images, of different platforms if they are several, to where an output says, as one; returns
        the manifests that are there now: of several images that of their index."""

    def fetch_context(self, key: str) -> bool:
        """Have the store know what the run of a builder with this key has emitted, if a cache elsewhere does
        (``cache_from``); returns whether it does now."""

    def export_cache(self, levels: Sequence[Built], contexts: Sequence[str]) -> None:
        """Write what was built to where ``cache_to`` says; ``contexts`` are the keys of the builders' runs.

        An engine whose caches are written while it builds does nothing.
        """

    def close(self) -> None:
        """End whatever was started."""
