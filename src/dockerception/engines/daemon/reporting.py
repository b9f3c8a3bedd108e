"""Steps of a foreign builder as our events: begun, logged and ended in the order in which it tells of them."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping
from typing import Final

from ...progress import Reporter, StepFinished, StepLog, StepStarted

_WORKING: Final = re.compile(r"(?:\[[^\]]*\] *)?(?:RUN|COPY|ADD|WORKDIR)\b")
_TAIL_BYTES: Final = 8192
_TAIL_LINES: Final = 20


class Progress:
    """What one build reports.  ``next_step`` hands out numbers; ``names`` turns our private image names back into what
    the user wrote; ``has_executed`` tells whether any step that makes a layer was not cached."""

    def __init__(self, report: Reporter, next_step: Callable[[], int], *, level: int, names: Mapping[str, str]) -> None:
        self._report = report
        self._next_step = next_step
        self._level = level
        self._written = {private: name for name, private in names.items()}
        self._open: dict[str, _Step] = {}
        self._last_output = b""
        self.has_executed = False

    def is_open(self, key: str) -> bool:
        """Whether a step of this key is under way."""
        return key in self._open

    def begin(self, key: str, name: str) -> None:
        """A step begins; ``key`` is what the builder calls it."""
        step = _Step(self._next_step(), self.readable(name))
        self._open[key] = step
        self._report(StepStarted(step=step.number, level=self._level, name=step.name))

    def log(self, key: str, data: bytes) -> None:
        """Output of a step that is under way."""
        step = self._open.get(key)
        if step is not None:
            step.output = (step.output + data)[-_TAIL_BYTES:]
            self._report(StepLog(step=step.number, data=data))

    def end(self, key: str, *, is_cached: bool = False, error: str = "") -> None:
        """A step has ended; further calls do nothing."""
        step = self._open.pop(key, None)
        if step is None:
            return
        if error:
            self._last_output = step.output
        elif not is_cached and _WORKING.match(step.name):
            self.has_executed = True
        seconds = time.monotonic() - step.started
        self._report(StepFinished(step=step.number, cached=is_cached, seconds=seconds, error=self.readable(error)))

    def end_all(self, error: str = "") -> None:
        """Nothing more will come: end what is still under way."""
        for key in list(self._open):
            self.end(key, error=error)

    def readable(self, text: str) -> str:
        """A text of the builder with the names that the user wrote."""
        for private, name in self._written.items():
            text = text.replace(private, name)
        return text

    @property
    def output(self) -> str:
        """The last lines of the step that failed last."""
        return "\n".join(self._last_output.decode(errors="replace").splitlines()[-_TAIL_LINES:])


class _Step:
    def __init__(self, number: int, name: str) -> None:
        self.number = number
        self.name = name
        self.started = time.monotonic()
        self.output = b""
