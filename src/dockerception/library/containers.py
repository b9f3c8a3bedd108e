"""Containers of images of the store, in the foreground, as ``docker run --rm`` has them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from typing import Final

import msgspec

from ..engines.base import Network
from ..engines.embedded.engine import EmbeddedEngine
from ..engines.embedded.running import container_request
from ..errors import UsageError
from ..limits import NONE, Limits
from ..reference import Platform
from ..request import Isolation
from ..sandbox import emulation
from ..sandbox.messages import Mount, RunResult
from ..store.store import Store
from . import images

_STANDARD: Final = (0, 1, 2)


class ContainerRequest(msgspec.Struct, frozen=True, kw_only=True):
    """How to run an image; what is empty comes from its config.  ``platform`` chooses where a name has several images.

    ``command`` replaces CMD; ``entrypoint`` (None: the image's own) replaces ENTRYPOINT, and CMD with it.  ``mounts``
    are bind mounts.  Without ``is_interactive`` stdin is closed.  With ``has_terminal`` the three descriptors must be
    terminals.
    """

    image: str
    platform: Platform | None = None
    command: tuple[str, ...] = ()
    entrypoint: tuple[str, ...] | None = None
    environment: Mapping[str, str] = {}
    mounts: tuple[Mount, ...] = ()
    cwd: str = ""
    user: str = ""
    is_interactive: bool = False
    has_terminal: bool = False
    network: Network = "default"
    isolation: Isolation = "auto"
    runtime: str = ""
    limits: Limits = NONE


def run_image(
    store: Store,
    request: ContainerRequest,
    *,
    descriptors: Sequence[int] = _STANDARD,
    on_start: Callable[[Callable[[int], None]], None] | None = None,
) -> RunResult:
    """Run a container to its end.  Its stdin, stdout and stderr are ``descriptors``: no byte passes through us.

    ``on_start`` is given a function that sends the container a signal.  Whatever exception leaves this, the container
    has been killed; what it wrote to its own file system is thrown away.
    """
    stored = images.get(store, request.image, request.platform)
    with closing(EmbeddedEngine(store, isolation=request.isolation, runtime=request.runtime)) as engine:
        config, stack, files = engine.container(stored)
        run_request = container_request(
            config.config,
            stack=stack,
            files=files,
            command=request.command,
            entrypoint=request.entrypoint,
            environment=request.environment,
            user=request.user,
            cwd=request.cwd,
            mounts=request.mounts,
            network=request.network,
            has_terminal=request.has_terminal,
            limits=request.limits,
        )
        if not run_request.args:
            raise UsageError(
                f"The image “{request.image}” has neither an ENTRYPOINT nor a CMD.",
                hint="give a command after its name",
            )
        stdin = descriptors[0] if request.is_interactive or request.has_terminal else None
        engine.sandbox().check_limits(request.limits)
        run = engine.sandbox().begin(run_request, stdin, descriptors[1], descriptors[2])
        if on_start is not None:
            on_start(run.signal)
        return emulation.explained(run.wait())
