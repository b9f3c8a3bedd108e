"""A builder in a container of a daemon.

It is attached to before it is started, since attaching later loses what it wrote until then, and asking for its logs
would have the daemon store the whole context.  It has no log, no terminal and no stdin, and is removed however it ends.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Mapping
from typing import Any, Final

from ...errors import DockerceptionError, TransportError
from ...oci.config import ContainerConfig
from ...progress import Reporter
from ..base import EmitRequest
from ..emission import BuilderLog, Cancel, Ended, PipeEmission, not_started
from .api import Daemon, StartError

_STDOUT: Final = 1
_POLL_SECONDS: Final = 0.2


def begin(
    daemon: Daemon,
    image: str,
    request: EmitRequest,
    *,
    config: ContainerConfig,
    labels: Mapping[str, str],
    report: Reporter,
    step: int,
) -> PipeEmission:
    """Start the builder.  Raises ``BuilderError`` where its program can't be started."""
    log = BuilderLog(report, step)
    try:
        identity = daemon.create(
            image, command=request.command, network=request.network, labels=labels, limits=request.limits
        )
    except StartError as error:
        raise not_started(f"{daemon.name}: {error}.") from error
    stdout_read, stdout = os.pipe()
    try:
        container = _DaemonContainer(daemon, identity, stdout, log)
    except BaseException:
        os.close(stdout_read)
        daemon.remove(identity)
        raise
    command = " ".join((*(config.entrypoint or ()), *(request.command or config.cmd or ())))
    return PipeEmission(container, stdout_read, log, command=command, timeout=request.timeout, config=config)


class _DaemonContainer:
    """See ``engines.emission.Container``.  ``stdout`` is where its stdout goes; it is closed at the end of that."""

    def __init__(self, daemon: Daemon, identity: str, stdout: int, log: BuilderLog) -> None:
        self._daemon = daemon
        self._identity = identity
        self._stdout = stdout
        self._log = log
        self._is_killed = False
        self._ended: Ended | None = None
        self._error: DockerceptionError | None = None
        try:
            stream = daemon.attach(identity)
            self._pump = threading.Thread(target=self._copy, args=(stream,), daemon=True)
            daemon.start(identity)
        except BaseException as error:
            os.close(stdout)
            if isinstance(error, StartError):
                raise not_started(f"{daemon.name}: {error}.") from error
            raise
        self._pump.start()

    def wait(self, cancel: Cancel | None) -> Ended:
        waiter = threading.Thread(target=self._wait, daemon=True)
        waiter.start()
        try:
            while waiter.is_alive() or self._pump.is_alive():
                waiter.join(_POLL_SECONDS)
                if not waiter.is_alive():
                    self._pump.join(_POLL_SECONDS)
                if not self._is_killed and cancel is not None and cancel.is_set():
                    self.kill()
        finally:
            self._remove()
        if self._ended is None and not self._is_killed:
            raise self._error or TransportError(f"{self._daemon.name} lost the builder's container.")
        return self._ended or Ended(returncode=137)

    def kill(self) -> None:
        self._is_killed = True
        self._remove()

    def _remove(self) -> None:
        try:
            self._daemon.remove(self._identity)
        except TransportError:
            pass  # the daemon is gone; it is asked again by the next build, see ``leftovers``

    def _wait(self) -> None:
        try:
            self._ended = Ended(returncode=self._daemon.wait(self._identity))
        except DockerceptionError as error:
            self._error = error

    def _copy(self, stream: Any) -> None:
        """Take the two streams apart until both have ended."""
        from docker.utils.socket import frames_iter

        reads_stdout = True
        try:
            for number, data in frames_iter(stream, tty=False):
                if number != _STDOUT:
                    self._log.take(number, data)
                elif reads_stdout:
                    reads_stdout = self._write(data)
        except OSError:
            pass  # the connection broke; whoever waits for the container finds out why
        finally:
            os.close(self._stdout)
            stream.close()

    def _write(self, data: bytes) -> bool:
        """Pass on a piece of stdout; returns false when nobody reads it any more."""
        rest = memoryview(data)
        try:
            while rest:
                rest = rest[os.write(self._stdout, rest) :]
        except BrokenPipeError:
            return False
        return True
