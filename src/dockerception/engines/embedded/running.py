"""RUN, and containers of images: from config and layers to one request to the sandbox."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Final

from ...context.base import Context
from ...context.lookup_user import User, process_user
from ...dockerfile import instructions as ins
from ...errors import FREE_SPACE, ContextError, DockerceptionError, ImageError, MachineError, StepError, UsageError
from ...limits import NONE, Limits
from ...oci.config import ContainerConfig
from ...sandbox import emulation
from ...sandbox.client import Sandbox
from ...sandbox.messages import Mount, RunRequest, RunResult
from ...store.store import Store
from ..base import Settings
from . import configuring
from .pending import Stop
from .run_mounts import Ready
from .scope import environment_of
from .step_hints import hint_for
from .values import Step

if TYPE_CHECKING:
    from .cdi.edits import Edits

_TAIL_BYTES: Final = 8192
_TAIL_LINES: Final = 20
_CHUNK: Final = 1 << 16
_LITTLE_ROOM: Final = 256 << 10
"""With fewer bytes than that on the store's disk, a step has failed for want of room."""

Sink = Callable[[int, bytes], None]
"""Takes output as it comes: stream number (1 stdout, 2 stderr) and bytes."""


def run_step(
    instruction: ins.Run,
    step: Step,
    *,
    stack: Sequence[str],
    user: User,
    upper: str,
    ready: Ready,
    devices: Edits | None,
    sandbox: Sandbox,
    store: Store,
    settings: Settings,
    sink: Sink,
    stop: Stop,
) -> None:
    """Execute a RUN with its mounts ``ready``, and what ``devices`` add; its changes are in ``upper`` afterwards.

    Raises ``StepError`` unless it exits with 0, ``MachineError`` for a program of a machine that this one can't be,
    ``StoppedError`` when it was killed because of ``stop``.
    """
    added = {} if devices is None else devices.environment
    request = RunRequest(
        layers=tuple(stack),
        args=configuring.command_line(instruction.command, step.config.shell),
        upper=upper,
        work=store.temporary(".work"),
        environment=_environment(step, settings.proxies, user, {**added, **ready.environment}),
        cwd=configuring.absolute("", step.config.working_dir),
        mounts=ready.mounts if devices is None else (*ready.mounts, *devices.mounts),
        network="none" if "none" in (instruction.network, settings.network) else "host",
        uid=user.uid,
        gid=user.gid,
        additional_gids=_all_groups(user, () if devices is None else devices.groups),
        hooks=() if devices is None else devices.hooks,
        is_privileged=instruction.security == "insecure",
        limits=settings.limits,
    )
    tail = _Tail(sink)
    result = run_with_output(sandbox, request, tail.take, stop)
    if result.returncode != 0 or result.not_started:
        stop.check()
        raise _step_error(step, result, tail.text, store, settings.limits, in_chroot=sandbox.in_chroot)


def _step_error(
    step: Step, result: RunResult, output: str, store: Store, limits: Limits, *, in_chroot: bool
) -> DockerceptionError:
    """The error of a RUN that failed; whoever knows the Dockerfile adds the excerpt."""
    if (cause := emulation.failed(result)) is not None:
        return MachineError(
            f"“{step.text}” is a step for linux/{result.foreign}, which this machine can't run: {cause.reason}.",
            details=output,
            hint=f"{cause.remedy}; or have the stage run here: FROM --platform=$BUILDPLATFORM",
        )
    if result.not_started:
        return StepError(f"“{step.text}” could not be started: {result.message}", details=output)
    if result.exceeded:
        return _exceeded(step, result.exceeded, output, limits)
    hint = hint_for(result.returncode, output, is_user=os.geteuid() != 0, in_chroot=in_chroot)
    if _is_full(store.root):
        hint = f"the store's disk is full, where the step wrote; {FREE_SPACE}"
    return StepError(f"“{step.text}” failed with exit code {result.returncode}.", details=output, hint=hint)


def _exceeded(step: Step, exceeded: str, output: str, limits: Limits) -> StepError:
    if exceeded == "timeout":
        problem = f"took longer than {limits.timeout:g} seconds (--timeout)"
        return StepError(f"“{step.text}” {problem}.", details=output, hint="give it more, or see what it waits for")
    problem = f"needed more memory than {limits.memory} bytes (--memory), and was killed"
    return StepError(f"“{step.text}” {problem}.", details=output, hint="give it more, or let it do less at once")


def _is_full(path: str) -> bool:
    disk = os.statvfs(path)
    return disk.f_bavail * disk.f_frsize < _LITTLE_ROOM or (disk.f_files > 0 and disk.f_favail == 0)


def run_with_output(sandbox: Sandbox, request: RunRequest, sink: Sink, stop: Stop) -> RunResult:
    """Run with stdin closed and hand stdout and stderr to ``sink`` as they come; killed when ``stop`` is set."""
    pipes = [os.pipe(), os.pipe()]
    readers = [
        threading.Thread(target=pump, args=(read_end, stream, sink), daemon=True)
        for stream, (read_end, _) in enumerate(pipes, 1)
    ]
    for reader in readers:
        reader.start()
    try:
        run = sandbox.begin(request, None, pipes[0][1], pipes[1][1])
    finally:
        for _, write_end in pipes:
            os.close(write_end)
    result = run.wait(stop)
    for reader in readers:
        reader.join()
    return result


def pump(descriptor: int, stream: int, sink: Sink) -> None:
    """Read a pipe to its end into ``sink``, and close it."""
    try:
        while chunk := os.read(descriptor, _CHUNK):
            sink(stream, chunk)
    finally:
        os.close(descriptor)


def container_request(
    config: ContainerConfig,
    *,
    stack: Sequence[str],
    files: Context,
    command: Sequence[str] = (),
    entrypoint: Sequence[str] | None = None,
    environment: Mapping[str, str] | None = None,
    user: str = "",
    cwd: str = "",
    mounts: Sequence[Mount] = (),
    network: str = "default",
    limits: Limits = NONE,
    has_terminal: bool = False,
) -> RunRequest:
    """The request that starts a container of an image, as ``docker run`` would.

    ``command`` replaces CMD; ``entrypoint`` replaces ENTRYPOINT, and CMD with it.  What it writes is thrown away.
    Raises ``UsageError`` for an unknown ``user``, ``ImageError`` for one of the image's config.
    """
    if entrypoint is not None:
        args = (*entrypoint, *command)
    else:
        args = (*(config.entrypoint or ()), *(command or config.cmd or ()))
    env = environment_of(config.env)
    env.setdefault("PATH", configuring.DEFAULT_PATH)
    if has_terminal:
        env.setdefault("TERM", "xterm")
    env.update(environment or {})
    identity = _identity(files, user, config)
    _set_home(env, identity)
    return RunRequest(
        layers=tuple(stack),
        args=tuple(args),
        environment=tuple(f"{name}={value}" for name, value in env.items()),
        cwd=configuring.absolute(cwd, config.working_dir),
        mounts=tuple(mounts),
        network="none" if network == "none" else "host",
        has_terminal=has_terminal,
        limits=limits,
        uid=identity.uid,
        gid=identity.gid,
        additional_gids=_all_groups(identity),
    )


def _identity(files: Context, user: str, config: ContainerConfig) -> User:
    try:
        return process_user(files, user or config.user)
    except ContextError as error:
        kind = UsageError if user else ImageError
        raise kind(error.message, hint=error.hint) from error


def _all_groups(user: User, more: Sequence[int] = ()) -> tuple[int, ...]:
    """The additional groups as Docker sets them: the primary one is among them."""
    return tuple(dict.fromkeys((user.gid, *user.groups, *more)))


def _set_home(environment: dict[str, str], user: User) -> None:
    """Docker's rule, which runtimes do not agree on: crun leaves a user that is in no file without a home."""
    environment["HOME"] = environment.get("HOME") or user.home


def _environment(step: Step, proxies: Mapping[str, str], user: User, of_mounts: Mapping[str, str]) -> tuple[str, ...]:
    """The variables of a RUN; what the Dockerfile says is stronger than the machine's proxies."""
    values = {**proxies, **dict(step.environment), **of_mounts}
    _set_home(values, user)
    return tuple(f"{name}={value}" for name, value in values.items())


class _Tail:
    """Passes output on and remembers its end for the error."""

    def __init__(self, sink: Sink) -> None:
        self._sink = sink
        self._kept = b""
        self._lock = threading.Lock()

    def take(self, stream: int, data: bytes) -> None:
        with self._lock:
            self._kept = (self._kept + data)[-_TAIL_BYTES:]
        self._sink(stream, data)

    @property
    def text(self) -> str:
        return "\n".join(self._kept.decode(errors="replace").splitlines()[-_TAIL_LINES:])
