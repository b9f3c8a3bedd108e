"""A builder at work in the sandbox."""

from __future__ import annotations

import os
import threading
from typing import Final

from ...errors import MachineError
from ...oci.config import ContainerConfig
from ...progress import Reporter
from ...sandbox import emulation
from ...sandbox.client import Run, Sandbox
from ...sandbox.messages import RunRequest
from ..emission import BuilderLog, Cancel, Ended, PipeEmission
from .running import pump

_SIGKILL: Final = 9


def begin(
    sandbox: Sandbox, request: RunRequest, *, timeout: float, config: ContainerConfig, report: Reporter, step: int
) -> PipeEmission:
    """Start the builder.  ``timeout`` is the longest silence in seconds."""
    log = BuilderLog(report, step)
    stdout_read, stdout = os.pipe()
    stderr_read, stderr = os.pipe()
    logger = threading.Thread(target=pump, args=(stderr_read, 2, log.take), daemon=True)
    logger.start()
    try:
        run = sandbox.begin(request, None, stdout, stderr)
    except BaseException:
        os.close(stdout_read)
        raise
    finally:
        os.close(stdout)
        os.close(stderr)
    container = _SandboxContainer(run, logger)
    return PipeEmission(container, stdout_read, log, command=" ".join(request.args), timeout=timeout, config=config)


class _SandboxContainer:
    """See ``engines.emission.Container``."""

    def __init__(self, run: Run, logger: threading.Thread) -> None:
        self._run = run
        self._logger = logger

    def wait(self, cancel: Cancel | None) -> Ended:
        result = self._run.wait(cancel)
        self._logger.join()
        if (cause := emulation.failed(result)) is not None:
            raise MachineError(
                f"The builder is for linux/{result.foreign}, which this machine can't run: {cause.reason}.",
                hint=f"{cause.remedy}; or have it run here and build for others: FROM --platform=$BUILDPLATFORM",
            )
        return Ended(returncode=result.returncode, not_started=result.message if result.not_started else "")

    def kill(self) -> None:
        self._run.signal(_SIGKILL)
