"""A builder at work in the sandbox: its stdout read as it comes, its stderr shown, its end judged."""

from __future__ import annotations

import os
import select
import threading
import time
from typing import Final

from ...errors import BuilderError, EmitTimeoutError, MachineError
from ...oci.config import ContainerConfig
from ...process import ending
from ...progress import Reporter, StepLog, StepProgress
from ...sandbox.client import Cancel, Sandbox
from ...sandbox.messages import RunRequest, RunResult
from .running import pump

_POLL_SECONDS: Final = 0.5
_CHUNK: Final = 1 << 20
_SAY_WAITING_SECONDS: Final = 5.0
_TAIL_BYTES: Final = 4096
_SIGNAL_BASE: Final = 128
_SIGKILL: Final = 9


class SandboxEmission:
    """See ``engines.base.Emission``."""

    def __init__(
        self,
        sandbox: Sandbox,
        request: RunRequest,
        *,
        timeout: float,
        config: ContainerConfig,
        report: Reporter,
        step: int,
    ) -> None:
        self._timeout = timeout
        self._config = config
        self._report = report
        self._step = step
        self._started = self._last_activity = time.monotonic()
        self._has_said_waiting = False
        self._received = 0
        self._tail = b""
        self._command = " ".join(request.args)
        self._stdout, stdout = os.pipe()
        stderr_read, stderr = os.pipe()
        self._has_given_up = self._has_ended = False
        self._logger = threading.Thread(target=pump, args=(stderr_read, 2, self._log), daemon=True)
        self._logger.start()
        try:
            self._run = sandbox.begin(request, None, stdout, stderr)
        except BaseException:
            os.close(self._stdout)
            raise
        finally:
            os.close(stdout)
            os.close(stderr)

    def read(self, size: int) -> bytes:
        while not self._has_data(_POLL_SECONDS):
            self._check_silence()
        chunk = os.read(self._stdout, size)
        if chunk:
            self._last_activity = time.monotonic()
            self._received += len(chunk)
        return chunk

    def drain(self, seconds: float) -> bool:
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            if self._has_data(left) and not os.read(self._stdout, _CHUNK):
                return True
        return False

    def finish(self) -> None:
        result = self._end(self)
        if self._has_given_up:
            raise self._timed_out()
        if result.not_started:
            raise self._not_started(result)
        if result.returncode:
            raise self._failed(result.returncode)

    def is_set(self) -> bool:
        """Whether to give up waiting (what ``Run.wait`` asks its cancel event)."""
        self._has_given_up = self._has_given_up or self._is_too_silent()
        return self._has_given_up

    def close(self) -> None:
        if self._stdout >= 0:
            os.close(self._stdout)
            self._stdout = -1
        if not self._has_ended:
            self._run.signal(_SIGKILL)
            try:
                self._end(None)
            except MachineError:
                pass  # the sandbox is gone, and the container with it

    def _end(self, cancel: Cancel | None) -> RunResult:
        """Wait until the container is gone and all that it said is logged."""
        self._has_ended = True
        result = self._run.wait(cancel)
        self._logger.join()
        return result

    def _has_data(self, seconds: float) -> bool:
        """Whether there is something to read, or the end, within so many seconds."""
        poll = select.poll()
        poll.register(self._stdout, select.POLLIN | select.POLLHUP)
        return bool(poll.poll(seconds * 1000))

    def _log(self, stream: int, data: bytes) -> None:
        self._last_activity = time.monotonic()
        self._tail = (self._tail + data)[-_TAIL_BYTES:]
        self._report(StepLog(step=self._step, data=data, stream=stream))

    def _is_too_silent(self) -> bool:
        return time.monotonic() - self._last_activity > self._timeout

    def _check_silence(self) -> None:
        waited = time.monotonic() - self._started
        if not self._has_said_waiting and not self._received and waited > _SAY_WAITING_SECONDS:
            self._has_said_waiting = True
            self._report(StepProgress(step=self._step, done_bytes=0, note="waiting for a context"))
        if self._is_too_silent():
            raise self._timed_out()

    def _timed_out(self) -> EmitTimeoutError:
        hint = "raise --emit-timeout if the builder needs longer"
        if not self._received and (self._config.exposed_ports or self._config.healthcheck):
            hint = (
                "this image looks like a server, not like a builder; to build one image without running it,"
                " use “dockerception assemble”"
            )
        got = f"after {self._received} bytes of context" if self._received else "and has not emitted a context"
        return EmitTimeoutError(
            f"The builder “{self._command}” has been silent for {self._timeout:g} s {got}.",
            details=self._log_tail(),
            hint=hint,
        )

    def _not_started(self, result: RunResult) -> BuilderError:
        return BuilderError(
            f"The builder could not be started: {result.message}",
            hint="does the image have this program? its ENTRYPOINT and CMD, or what follows “--”, are run as they are",
        )

    def _failed(self, returncode: int) -> BuilderError:
        hint = "what it had written until then is not used"
        if returncode == 127:
            hint = "exit code 127 means that a command was not found; does the builder image have a shell and tar?"
        ended = ending(_SIGNAL_BASE - returncode) if returncode > _SIGNAL_BASE else ending(returncode)
        return BuilderError(f"The builder “{self._command}” {ended}.", details=self._log_tail(), hint=hint)

    def _log_tail(self) -> str:
        return "\n".join(self._tail.decode(errors="replace").splitlines()[-20:])
