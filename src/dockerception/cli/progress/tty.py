"""Progress on a terminal: finished steps scroll by, running ones are redrawn below with the end of their output.

``rich`` draws, and is imported only when a step takes longer than a moment: a cached build prints its few lines
without it.
"""

from __future__ import annotations

import os
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from ...errors import DockerceptionError
from ...progress import Event, LevelFinished, Notice, StepExplained, StepFinished, StepLog, StepProgress, StepStarted
from .. import formats
from ..summary import Summary
from .lines import LineBuffer, without_controls
from .plain import describe_progress

if TYPE_CHECKING:
    from rich.console import Group
    from rich.live import Live

_MOMENT: Final = 0.2  # seconds until drawing begins
_INTERVAL: Final = 0.1  # seconds between two pictures
_LOG_LINES: Final = 5
_MAX_STEPS: Final = 8
_MIN_NAME: Final = 20
_COLUMNS: Final = 80


class _Step:
    def __init__(self, name: str, now: float) -> None:
        self.name = without_controls(name)
        self.started = now
        self.buffers = {1: LineBuffer(), 2: LineBuffer()}
        self.tail: deque[str] = deque(maxlen=_LOG_LINES)
        self.progress = ""
        self.explanation = ""


class TtyRenderer:
    """Draws on the terminal behind stderr; ``write`` prints to it what needs no drawing."""

    def __init__(self, write: Callable[[str], None]) -> None:
        self._write = write
        self._lock = threading.Lock()
        self._steps: dict[int, _Step] = {}
        self._waiting: list[str] = []
        self._ended = threading.Event()
        self._drawer: threading.Thread | None = None
        self._is_drawing = False

    def __call__(self, event: Event) -> None:
        with self._lock:
            match event:
                case StepStarted():
                    self._steps[event.step] = _Step(event.name, time.monotonic())
                    self._start_drawer()
                case StepLog() if event.step in self._steps:
                    step = self._steps[event.step]
                    step.tail.extend(without_controls(line) for line in step.buffers[event.stream].add(event.data))
                case StepExplained() if event.step in self._steps:
                    self._steps[event.step].explanation = without_controls(event.text)
                case StepProgress() if event.step in self._steps:
                    self._steps[event.step].progress = describe_progress(event)
                case StepFinished() if event.step in self._steps:
                    step = self._steps.pop(event.step)
                    self._print(_ending(step, event))
                    if step.explanation:
                        self._print(f"\x1b[2m  not cached: {step.explanation}\x1b[0m")
                case Notice():
                    self._print(f"\x1b[33m{event.severity}:\x1b[0m {without_controls(event.text)}")
                case LevelFinished() | _:
                    pass

    def finish(self, summary: Summary) -> None:
        """The summary's lines, below everything."""
        self.close()
        self._write("\n" + "\n".join(summary.lines()) + "\n")

    def fail(self, error: DockerceptionError, log: str) -> bool:
        """Left to the caller."""
        return False

    def close(self) -> None:
        """Stop drawing; the cursor is below the last line and visible."""
        self._ended.set()
        drawer, self._drawer = self._drawer, None
        if drawer is not None:
            drawer.join()

    def _print(self, line: str) -> None:
        if self._is_drawing:
            self._waiting.append(line)
        else:
            self._write(line + "\n")

    def _start_drawer(self) -> None:
        if self._drawer is None and not self._ended.is_set():
            self._drawer = threading.Thread(target=self._draw, name="progress", daemon=True)
            self._drawer.start()

    def _draw(self) -> None:
        while not self._ended.wait(_MOMENT):
            with self._lock:
                is_needed = bool(self._steps)
            if is_needed:
                self._draw_until_end()
                return

    def _draw_until_end(self) -> None:
        from rich.console import Console
        from rich.live import Live

        console = Console(stderr=True, highlight=False)
        with self._lock:
            self._is_drawing = True
        try:
            with Live(
                console=console, auto_refresh=False, transient=True, redirect_stdout=False, redirect_stderr=False
            ) as live:
                while not self._ended.wait(_INTERVAL):
                    self._refresh(live)
                self._refresh(live)
        except OSError:
            pass  # the terminal has gone
        finally:
            with self._lock:
                self._is_drawing = False
                for line in self._waiting:
                    self._write(line + "\n")
                self._waiting = []

    def _refresh(self, live: Live) -> None:
        from rich.text import Text

        with self._lock:
            waiting, self._waiting = self._waiting, []
            picture = self._picture()
        live.update(picture, refresh=True)  # before the lines, which draw it once more below themselves
        for line in waiting:
            live.console.print(Text.from_ansi(line))

    def _picture(self) -> Group:
        from rich.console import Group
        from rich.text import Text

        rows: list[Any] = []
        now = time.monotonic()
        for step in list(self._steps.values())[:_MAX_STEPS]:
            head = Text("• ", style="cyan", no_wrap=True, overflow="ellipsis")
            rest = "  ".join(part for part in ("", step.progress, formats.seconds(now - step.started)) if part)
            head.append(_fitted(step.name, len(rest)), style="default")
            head.append(f"  {rest}", style="dim")
            rows.append(head)
            rows += [Text(f"    {line}", style="dim", no_wrap=True, overflow="ellipsis") for line in step.tail]
        hidden = len(self._steps) - _MAX_STEPS
        if hidden > 0:
            rows.append(Text(f"  and {hidden} more steps", style="dim"))
        return Group(*rows)


def _ending(step: _Step, event: StepFinished) -> str:
    if event.error:
        return f"\x1b[31m✗ {step.name}\x1b[0m  {without_controls(event.error.splitlines()[0])}"
    ending = "CACHED" if event.cached else formats.seconds(event.seconds)
    rest = f"{step.progress}  {ending}" if step.progress and not event.cached else ending
    return f"\x1b[32m✓\x1b[0m {_fitted(step.name, len(rest))}\x1b[2m  {rest}\x1b[0m"


def _fitted(name: str, rest: int) -> str:
    """The name, cut so that it fits on one line of the terminal with ``rest`` further characters."""
    try:
        columns = os.get_terminal_size(2).columns
    except OSError:
        columns = _COLUMNS
    return formats.shortened(name, max(_MIN_NAME, (columns or _COLUMNS) - rest - 5))
