"""The full log of a build, as a file of the store; an error names it."""

from __future__ import annotations

import os
import time

from ... import __version__
from ...errors import DockerceptionError
from ...progress import Event
from ..summary import Summary
from .plain import PlainRenderer

_KEPT = 50


class LogFile:
    """Writes progress as plain lines to a new file in ``folder``; of older ones the last 50 stay.

    ``path`` is empty until something happens, and where no file can be made: a build does not fail for its log.
    """

    def __init__(self, folder: str) -> None:
        self.path = ""
        self._folder = folder
        self._descriptor = -1
        self._has_begun = False
        self._lines = PlainRenderer(self._write)

    def __call__(self, event: Event) -> None:
        if not self._has_begun:
            self._has_begun = True
            self._begin()
        if self._descriptor >= 0:
            self._lines(event)

    def finish(self, summary: Summary) -> None:
        """Note what came of it."""
        self._lines.finish(summary)

    def fail(self, error: DockerceptionError) -> None:
        """Note the error."""
        self._lines.close()
        self._write(f"error[{error.code}]: {error}\n")

    def cut_off(self, reason: BaseException) -> None:
        """Note what ended the build from outside."""
        self._lines.close()
        self._write(f"{type(reason).__name__}: {reason}\n")

    def close(self) -> None:
        """Close the file."""
        self._lines.close()
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def _begin(self) -> None:
        stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
        path = os.path.join(self._folder, f"build-{stamp}-{os.getpid()}.log")
        try:
            os.makedirs(self._folder, mode=0o700, exist_ok=True)
            self._descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        except OSError:
            return
        self.path = path
        self._write(f"dockerception {__version__}, {stamp}\n")
        self._rotate()

    def _rotate(self) -> None:
        try:
            logs = sorted(name for name in os.listdir(self._folder) if name.endswith(".log"))
        except OSError:
            return
        for name in logs[:-_KEPT]:
            try:
                os.unlink(os.path.join(self._folder, name))
            except OSError:
                pass  # another build was faster

    def _write(self, text: str) -> None:
        if self._descriptor < 0:
            return
        try:
            os.write(self._descriptor, text.encode(errors="backslashreplace"))
        except OSError:
            pass  # a full disk is the build's own error to report
