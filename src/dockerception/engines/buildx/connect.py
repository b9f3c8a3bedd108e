"""From the name of a builder to an engine."""

from __future__ import annotations

import msgspec

from ...errors import UsageError
from ...progress import Reporter
from ...store.store import Store
from ...transports import docker_contexts
from ...transports.daemon_client import docker_client
from ..base import Capabilities, Settings
from ..daemon.api import Daemon
from ..daemon.buildkit import LIMITS, BuildKit, Command
from ..daemon.connect import limits_of
from ..daemon.engine import DaemonEngine
from ..daemon.named import NamedContexts
from ..embedded.engine import EmbeddedEngine
from ..embedded.steps import Steps
from . import images
from .builders import Builder, find_builder
from .contexts import Contexts
from .daemon_contexts import DaemonContexts
from .engine import BuildxEngine
from .layout_contexts import LayoutContexts
from .solving import Solving
from .store_levels import StoreLevels


def connect(name: str, store: Store, report: Reporter, *, helper: str = "") -> BuildxEngine:
    """The engine of the builder ``name``, or of the one that the user has chosen.

    ``helper`` is what ``--emit-helper`` says.  Raises ``UsageError``, ``MachineError`` and ``TransportError``.
    """
    builder = find_builder(name)
    able = capabilities(builder.name, is_docker=builder.is_docker)
    steps = Steps(report)
    solving = Solving(builder, steps, report)
    embedded = EmbeddedEngine(store, report=report, steps=steps)
    if builder.is_docker:
        return _in_daemon(solving, embedded, store, steps, helper, able)

    def new_contexts(settings: Settings) -> Contexts:
        return LayoutContexts(store, settings, lambda: embedded, images.in_store(store, settings.platform))

    levels = StoreLevels(solving, store, embedded, new_contexts)
    return BuildxEngine(solving, levels, new_contexts, store, helper=helper, capabilities=able)


def capabilities(builder: str, *, is_docker: bool = False) -> Capabilities:
    """What a builder of that name can do; ``is_docker`` says that it is part of a daemon."""
    return Capabilities(
        name=f"The builder “{builder}” of buildx",
        caches=True,
        indexes=not is_docker,
        rewrites=not is_docker,
        limits=LIMITS,
    )


def _in_daemon(
    solving: Solving,
    embedded: EmbeddedEngine,
    store: Store,
    steps: Steps,
    helper: str,
    able: Capabilities,
) -> BuildxEngine:
    builder, report = solving.builder, solving.report
    daemon = _daemon_of(builder)
    able = msgspec.structs.replace(able, limits=limits_of(daemon.api_version, is_buildkit=True))
    command = Command(words=(*builder.build, "--load"), is_buildx=True)
    buildkit = BuildKit(command, daemon=able.name, scratch=store.scratch, report=report)
    levels = DaemonEngine(daemon, buildkit, able, store, report, steps=steps)

    def new_contexts(settings: Settings) -> Contexts:
        named = NamedContexts(daemon, settings, store, lambda: embedded, steps)
        return DaemonContexts(daemon, named, images.in_daemon(daemon, settings.platform))

    return BuildxEngine(solving, levels, new_contexts, store, helper=helper, capabilities=able)


def _daemon_of(builder: Builder) -> Daemon:
    """The daemon that a docker driver is part of: that of a Docker context, whose name is the builder's."""
    current = docker_contexts.current_name()
    if builder.name not in (current, docker_contexts.DEFAULT) and builder.endpoint not in (current, ""):
        raise UsageError(
            f"The builder “{builder.name}” belongs to the Docker context “{builder.endpoint or builder.name}”.",
            hint=f"choose the context too: DOCKER_CONTEXT={builder.endpoint or builder.name}",
        )
    client = docker_client()
    if client is None:
        raise UsageError(f"The Docker daemon of the builder “{builder.name}” does not answer.", hint="start it")
    return Daemon(client, "Docker")
