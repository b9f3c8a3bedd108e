"""Progress as lines, for logs and pipes: what each step does, what it says, how it ended, all marked ``#3``."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from ...errors import DockerceptionError
from ...progress import Event, LevelFinished, Notice, StepExplained, StepFinished, StepLog, StepProgress, StepStarted
from .. import formats
from ..summary import Summary
from .lines import LineBuffer

_PROGRESS_INTERVAL = 5.0
_NONE = -1


class _Step:
    def __init__(self, name: str, now: float) -> None:
        self.name = name
        self.started = now
        self.lines = {1: LineBuffer(), 2: LineBuffer()}
        self.reported = now
        self.progress = ""


class PlainRenderer:
    """Writes whole lines, each event's with one call of ``write``."""

    def __init__(self, write: Callable[[str], None], clock: Callable[[], float] = time.monotonic) -> None:
        self._write = write
        self._clock = clock
        self._lock = threading.Lock()
        self._steps: dict[int, _Step] = {}
        self._current = _NONE

    def __call__(self, event: Event) -> None:
        with self._lock:
            match event:
                case StepStarted():
                    self._steps[event.step] = _Step(event.name, self._clock())
                    self._print(event.step, [])
                case StepLog() if event.step in self._steps:
                    self._log(event.step, self._steps[event.step].lines[event.stream].add(event.data))
                case StepExplained() if event.step in self._steps:
                    self._print(event.step, [f"not cached: {event.text}"])
                case StepProgress() if event.step in self._steps:
                    self._progress(event)
                case StepFinished() if event.step in self._steps:
                    self._finish_step(event)
                case Notice():
                    self._write(f"{event.severity}: {event.text}\n")
                case LevelFinished() | _:
                    pass

    def finish(self, summary: Summary) -> None:
        """The summary's lines."""
        self._write("\n".join(summary.lines()) + "\n")

    def fail(self, error: DockerceptionError, log: str) -> bool:
        """Left to the caller, who prints it as the last thing."""
        return False

    def close(self) -> None:
        """Give out what steps that were cut off have left without an end of line."""
        with self._lock:
            for number, step in self._steps.items():
                self._log(number, [*step.lines[1].flush(), *step.lines[2].flush()])
            self._steps.clear()

    def _log(self, number: int, lines: list[str]) -> None:
        if lines:
            elapsed = self._clock() - self._steps[number].started
            self._print(number, [f"{elapsed:.3f} {line}".rstrip() for line in lines])

    def _progress(self, event: StepProgress) -> None:
        step = self._steps[event.step]
        step.progress = describe_progress(event)
        now = self._clock()
        if now - step.reported >= _PROGRESS_INTERVAL:
            step.reported = now
            self._print(event.step, [step.progress])

    def _finish_step(self, event: StepFinished) -> None:
        step = self._steps[event.step]
        self._log(event.step, [*step.lines[1].flush(), *step.lines[2].flush()])
        if event.error:
            ending = [f"ERROR: {event.error.splitlines()[0]}"]
        elif event.cached:
            ending = ["CACHED"]
        else:
            ending = [step.progress] if step.progress else []
            ending.append(f"DONE {formats.seconds(event.seconds)}")
        self._print(event.step, ending)
        del self._steps[event.step]
        self._write("\n")
        self._current = _NONE

    def _print(self, number: int, lines: list[str]) -> None:
        """Lines of a step; its heading comes first, again where another step's lines were printed in between."""
        text = [f"#{number} {line}\n" for line in lines]
        if number != self._current:
            text.insert(0, f"#{number} {self._steps[number].name}\n")
            if self._current != _NONE:
                text.insert(0, "\n")
            self._current = number
        self._write("".join(text))


def describe_progress(event: StepProgress) -> str:
    """How far a step is: ``12.3MB / 648MB, 310 files, note``."""
    parts = []
    if event.done_bytes or event.total_bytes:
        total = f" / {formats.size(event.total_bytes)}" if event.total_bytes else ""
        parts.append(formats.size(event.done_bytes) + total)
    if event.files:
        parts.append(f"{event.files:,} files")
    if event.note:
        parts.append(event.note)
    return ", ".join(parts)
