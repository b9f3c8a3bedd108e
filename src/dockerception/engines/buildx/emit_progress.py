"""The progress of a solve that runs a builder: its own step is the builder's log, all else is the level's."""

from __future__ import annotations

import re
from typing import Final

from ...progress import Reporter, StepProgress
from ..daemon.reporting import Progress
from ..emission import BuilderLog
from . import emit_script
from .emit_stages import CONTEXT, EMIT, FILES, HELPER

_OURS: Final = re.compile(rf"\[(?:context )?(?:{CONTEXT}|{EMIT}|{FILES}|{HELPER})\b|exporting |sending ")
_RUN: Final = re.compile(rf"\[{EMIT} [^\]]*\] RUN ")
_CLIPPED: Final = b"[output clipped"


class EmitProgress:
    """Takes what ``plain_progress`` reads.

    ``is_running``: the builder is at work and can be heard, so that its silence means something.  ``has_failed``: its
    step ended with an error.  ``not_started`` says why nothing was run, if that is so.
    """

    def __init__(self, level: Progress, log: BuilderLog, report: Reporter, step: int) -> None:
        self._level = level
        self._log = log
        self._report = report
        self._step = step
        self._ours: set[str] = set()
        self._emit = ""
        self.is_running = False
        self.has_failed = False
        self.not_started = ""

    def begin(self, key: str, name: str) -> None:
        """A step begins."""
        if _RUN.match(name):
            self._emit = key
            self.is_running = True
        elif _OURS.match(name):
            self._ours.add(key)
        else:
            self._level.begin(key, name)

    def log(self, key: str, data: bytes) -> None:
        """Output of a step."""
        if key == self._emit:
            self._hear(data)
        elif key not in self._ours:
            self._level.log(key, data)

    def end(self, key: str, *, is_cached: bool = False, error: str = "") -> None:
        """A step has ended."""
        if key == self._emit:
            self.is_running = False
            self.has_failed = bool(error) and error != "CANCELED"
        elif key not in self._ours:
            self._level.end(key, is_cached=is_cached, error=error)

    def _hear(self, line: bytes) -> None:
        told = emit_script.bytes_told(line)
        if told is not None:
            self._log.note_sign()
            self._log.told_bytes = told
            self._report(StepProgress(step=self._step, done_bytes=told, note="written by the builder"))
            return
        reason = emit_script.not_started(line)
        if reason:
            self.not_started = reason
            return
        if line.startswith(_CLIPPED):
            self.is_running = False  # from here on it speaks, but BuildKit passes no more of it on
        self._log.take(2, line)
