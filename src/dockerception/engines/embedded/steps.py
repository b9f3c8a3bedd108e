"""Steps as progress shows them: numbered, timed, ended once, whatever happens in between."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from ...progress import Notice, Reporter, StepExplained, StepFinished, StepStarted

if TYPE_CHECKING:
    from ..explaining import Explanation


class RunningStep:
    """A step under way; set ``is_cached`` when it turns out that there was nothing to do."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.is_cached = False


class Steps:
    """Hands out step numbers for one engine and reports beginnings and ends.  Threads may share it."""

    def __init__(self, report: Reporter) -> None:
        self._report = report
        self._numbers = itertools.count(1)

    def next_number(self) -> int:
        """A number for a step that is reported elsewhere."""
        return next(self._numbers)

    @contextmanager
    def step(self, name: str, *, level: int = 0) -> Iterator[RunningStep]:
        """A step for the duration of the block; an exception ends it with its message."""
        running = RunningStep(next(self._numbers))
        self._report(StepStarted(step=running.number, level=level, name=name))
        started = time.monotonic()
        error = ""
        try:
            yield running
        except BaseException as failure:
            error = getattr(failure, "message", "") or getattr(failure, "strerror", "") or type(failure).__name__
            raise
        finally:
            seconds = time.monotonic() - started
            self._report(StepFinished(step=running.number, cached=running.is_cached, seconds=seconds, error=error))

    def explain(self, running: RunningStep, explanation: Explanation) -> None:
        """Report why a step has to be done."""
        self._report(
            StepExplained(step=running.number, cause=explanation.cause, text=explanation.text, paths=explanation.paths)
        )

    def waiting(self, name: str, check: Callable[[], None]) -> Callable[[], None]:
        """A check for waiting until another build has done the step of this name: it makes ``check``, and says once
        what is waited for."""
        is_told = False

        def check_and_tell() -> None:
            nonlocal is_told
            check()
            if not is_told:
                self._report(Notice(text=f"Another build does the same step, and is waited for: {name}"))
                is_told = True

        return check_and_tell

    def cached(self, name: str, *, level: int = 0) -> None:
        """Report a step that a whole cached stage contains."""
        with self.step(name, level=level) as running:
            running.is_cached = True
