"""How a build looks while it goes on: one renderer for the person, and the log file for afterwards.

A renderer is a ``Reporter`` that never raises: a terminal that has gone away must not end a build.  Its methods may be
called from any thread.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from types import TracebackType
from typing import Final, Protocol

from ...errors import DockerceptionError
from ...progress import Event
from ..signals import Ended
from ..summary import Summary
from .logfile import LogFile

MODES: Final = ("auto", "tty", "plain", "quiet", "json")


class Renderer(Protocol):
    """Shows the events of one build."""

    def __call__(self, event: Event) -> None:
        """Show an event."""

    def finish(self, summary: Summary) -> None:
        """Show what came of it."""

    def fail(self, error: DockerceptionError, log: str) -> bool:
        """Show an error whose log lies at ``log``; False leaves that to the caller."""

    def close(self) -> None:
        """Leave the terminal as it was.  May be called repeatedly."""


class Progress:
    """The renderer of a mode and the log file, as one reporter.  Use it as a context manager."""

    def __init__(self, mode: str, logs: str) -> None:
        self._log = LogFile(logs)
        self._renderer = _renderer(mode)

    def __call__(self, event: Event) -> None:
        self._log(event)
        self._renderer(event)

    def finish(self, summary: Summary) -> None:
        """Close with a summary."""
        self._log.finish(summary)
        self._renderer.finish(summary)

    def fail(self, error: DockerceptionError) -> bool:
        """Close with an error; True if it has been shown.  Else it has been told where the log is, for who shows it."""
        self._log.fail(error)
        self._renderer.close()
        if self._log.path:
            error.add_note(f"log: {self._log.path}")
        return self._renderer.fail(error, self._log.path)

    def __enter__(self) -> Progress:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._renderer.close()
        if isinstance(error, Exception | Ended):
            self._log.cut_off(error)
        self._log.close()


def _renderer(mode: str) -> Renderer:
    """``auto`` is ``tty`` on a terminal; ``tty`` without one is ``plain``."""
    if mode == "quiet":
        from .quiet import QuietRenderer

        return QuietRenderer()
    if mode == "json":
        from .json_lines import JsonRenderer

        return JsonRenderer(to_stderr)
    if mode in ("auto", "tty") and sys.stderr.isatty() and os.environ.get("TERM", "dumb") != "dumb":
        from .tty import TtyRenderer

        return TtyRenderer(to_stderr)
    from .plain import PlainRenderer

    return PlainRenderer(to_stderr)


def to_stderr(text: str) -> None:
    """Write to stderr at once; where that is impossible the text is lost, and nothing else."""
    _write_all(2, text)


def _write_all(descriptor: int, text: str) -> None:
    rest = memoryview(text.encode(errors="surrogateescape"))
    try:
        while rest:
            rest = rest[os.write(descriptor, rest) :]
    except OSError:
        return


Write = Callable[[str], None]
