"""A builder at work, whoever runs it: its stdout read from a pipe as it comes, its stderr shown, its end judged."""

from __future__ import annotations

import os
import select
import threading
import time
from typing import Final, Protocol

import msgspec

from ..awake import AwakeTime
from ..errors import BuilderError, DockerceptionError, EmitTimeoutError
from ..oci.config import ContainerConfig
from ..process import ending
from ..progress import Notice, Reporter, StepLog, StepProgress

_POLL_SECONDS: Final = 0.5
_CHUNK: Final = 1 << 20
_SAY_WAITING_SECONDS: Final = 5.0
_SAY_SERVER_SECONDS: Final = 30.0
_IS_SERVER: Final = (
    "this image looks like a server, not like a builder; to build one image without running it,"
    " use “dockerception assemble”"
)
_EXEC_FORMAT_ERROR: Final = "exec format error"
_OTHER_FORMAT: Final = "its program is for another architecture, or a script without a “#!” line"
"""What runtimes say, in either case, where the kernel does not know a program; it is their exit code then."""

_TAIL_BYTES: Final = 4096
_TAIL_LINES: Final = 20
_SIGNAL_BASE: Final = 128


class Ended(msgspec.Struct, frozen=True, kw_only=True):
    """How a container ended: ``returncode`` is its own, or 128 plus the signal.  ``not_started`` is a full sentence
    that says why, where nothing of it ever ran."""

    returncode: int = 0
    not_started: str = ""


class Cancel(Protocol):
    """What is asked, now and then, whether to give up waiting."""

    def is_set(self) -> bool:
        """Whether to give up."""


class Container(Protocol):
    """A builder's container."""

    def wait(self, cancel: Cancel | None) -> Ended:
        """Wait until it is gone and all that it wrote to stderr is logged; it is killed when ``cancel`` is set."""

    def kill(self) -> None:
        """End it at once; ``wait`` returns soon after."""


class BuilderLog:
    """What a builder says on stderr: reported as it comes, its end kept for errors.  Threads may share it."""

    def __init__(self, report: Reporter, step: int) -> None:
        self._report = report
        self._step = step
        self._tail = b""
        self._lock = threading.Lock()
        self._awake = AwakeTime(2 * _POLL_SECONDS)
        self._last_sign = 0.0
        self.told_bytes = 0  # how much it has written, where that is told before it can be read

    def take(self, stream: int, data: bytes) -> None:
        """Report a piece of output."""
        self.note_sign()
        self._tail = (self._tail + data)[-_TAIL_BYTES:]
        self._report(StepLog(step=self._step, data=data, stream=stream))

    def note_sign(self) -> None:
        """The builder has given a sign of life."""
        with self._lock:
            self._last_sign = self._awake.look()

    def silence(self) -> float:
        """The seconds since its last one that we have been awake; ask twice a second, or oftener."""
        with self._lock:
            return self._awake.look() - self._last_sign

    def say_waiting(self) -> None:
        """Tell that the builder is waited for."""
        self._report(StepProgress(step=self._step, done_bytes=0, note="waiting for a context"))

    def say_server(self, seconds: float) -> None:
        """Warn that nothing has come for so long, and that nothing will."""
        self._report(Notice(text=f"No context after {seconds:g} s: {_IS_SERVER}.", severity="warning"))

    @property
    def tail(self) -> str:
        """The last lines."""
        return "\n".join(self._tail.decode(errors="replace").splitlines()[-_TAIL_LINES:])


class PipeEmission:
    """See ``engines.base.Emission``.  ``stdout`` is a descriptor that this object closes, ``command`` is for messages,
    ``timeout`` in seconds."""

    def __init__(
        self,
        container: Container,
        stdout: int,
        log: BuilderLog,
        *,
        command: str,
        timeout: float,
        config: ContainerConfig,
    ) -> None:
        self._container = container
        self._stdout = stdout
        self._log = log
        self._command = command
        self._timeout = timeout
        self._config = config
        self._started = time.monotonic()
        self._received = 0
        self._has_said_waiting = self._has_said_server = False
        self._has_given_up = self._has_ended = False

    def read(self, size: int) -> bytes:
        while not self._has_data(_POLL_SECONDS):
            self._check_silence()
        chunk = os.read(self._stdout, size)
        if chunk:
            self._log.note_sign()
            self._received += len(chunk)
        return chunk

    def drain(self, seconds: float) -> bool:
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            if self._has_data(left) and not os.read(self._stdout, _CHUNK):
                return True
        return False

    def finish(self) -> None:
        self._has_ended = True
        ended = self._container.wait(self)
        if self._has_given_up:
            raise self._timed_out()
        if ended.not_started:
            raise not_started(ended.not_started)
        if ended.returncode:
            raise self._failed(ended.returncode)

    def is_set(self) -> bool:
        """Whether to give up waiting (what ``Container.wait`` asks its cancel event)."""
        self._has_given_up = self._has_given_up or self._is_too_silent()
        return self._has_given_up

    def close(self) -> None:
        if self._stdout >= 0:
            os.close(self._stdout)
            self._stdout = -1
        if not self._has_ended:
            self._has_ended = True
            self._container.kill()
            try:
                self._container.wait(None)
            except DockerceptionError:
                pass  # what ran the container is gone; the error that led here says more

    def _has_data(self, seconds: float) -> bool:
        """Whether there is something to read, or the end, within so many seconds."""
        poll = select.poll()
        poll.register(self._stdout, select.POLLIN | select.POLLHUP)
        return bool(poll.poll(seconds * 1000))

    def _is_too_silent(self) -> bool:
        return self._log.silence() > self._timeout

    def _check_silence(self) -> None:
        waited = time.monotonic() - self._started
        if not self._has_said_waiting and not self._received and waited > _SAY_WAITING_SECONDS:
            self._has_said_waiting = True
            self._log.say_waiting()
        if not self._has_said_server and waited > _SAY_SERVER_SECONDS and self._looks_like_server():
            self._has_said_server = True
            self._log.say_server(waited)
        if self._is_too_silent():
            raise self._timed_out()

    def _looks_like_server(self) -> bool:
        return not self._received and bool(self._config.exposed_ports or self._config.healthcheck)

    def _timed_out(self) -> EmitTimeoutError:
        hint = "raise --emit-timeout if the builder needs longer"
        if self._looks_like_server():
            hint = _IS_SERVER
        written = max(self._received, self._log.told_bytes)
        got = f"after {written} bytes of context" if written else "and has not emitted a context"
        return EmitTimeoutError(
            f"The builder “{self._command}” has been silent for {self._timeout:g} s {got}.",
            details=self._log.tail,
            hint=hint,
        )

    def _failed(self, returncode: int) -> BuilderError:
        hint = "what it had written until then is not used"
        if returncode == 127:
            hint = "exit code 127 means that a command was not found; does the builder image have a shell and tar?"
        elif _EXEC_FORMAT_ERROR in self._log.tail.lower():
            hint = _OTHER_FORMAT
        ended = ending(_SIGNAL_BASE - returncode) if returncode > _SIGNAL_BASE else ending(returncode)
        return BuilderError(f"The builder “{self._command}” {ended}.", details=self._log.tail, hint=hint)


def not_started(reason: str) -> BuilderError:
    """The error for a builder of which nothing ever ran; ``reason`` is a full sentence."""
    hint = "does the image have this program? its ENTRYPOINT and CMD, or what follows “--”, are run as they are"
    if _EXEC_FORMAT_ERROR in reason.lower():
        hint = _OTHER_FORMAT
    return BuilderError(f"The builder could not be started: {reason}", hint=hint)


def nothing_to_run() -> BuilderError:
    """The error for a builder that has no command."""
    return BuilderError(
        "The builder has nothing to run: its image has neither an ENTRYPOINT nor a CMD.",
        hint='add CMD ["tar", "-c", …] to its Dockerfile, or give a command after “--”; to build one image'
        " without running it, use “dockerception assemble”",
    )
