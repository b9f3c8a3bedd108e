"""Typed events that the work sends while it goes on.  Renderers live in ``cli``; a library user gives a callable.

An event never blocks the work for long and is sent from whichever thread does the work.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec


class StepStarted(msgspec.Struct, frozen=True, tag=True, kw_only=True):
    """A step begins.  ``step`` is unique within one build; ``name`` reads as ``[builder 2/5] RUN make``."""

    step: int
    level: int
    name: str


class StepLog(msgspec.Struct, frozen=True, tag=True, kw_only=True):
    """Output of a step's process, as it came.  ``stream`` is 1 for stdout, 2 for stderr."""

    step: int
    data: bytes
    stream: int = 2


class StepExplained(msgspec.Struct, frozen=True, tag=True, kw_only=True):
    """Why a step has to be done though it, or one like it, was done before (``--explain``).

    ``cause`` is one of ``engines.explaining.Cause``, ``text`` the same in words; ``paths`` are the files that differ,
    where the cause is ``files``.
    """

    step: int
    cause: str
    text: str
    paths: tuple[str, ...] = ()


class StepFinished(msgspec.Struct, frozen=True, tag=True, kw_only=True):
    """A step ended.  ``error`` is empty unless it failed; ``seconds`` is wall time."""

    step: int
    cached: bool = False
    seconds: float = 0.0
    error: str = ""


class StepProgress(msgspec.Struct, frozen=True, tag=True, kw_only=True):
    """How far a step that moves bytes has come.  ``total_bytes`` is 0 where it is not known."""

    step: int
    done_bytes: int
    total_bytes: int = 0
    files: int = 0
    note: str = ""


class Notice(msgspec.Struct, frozen=True, tag=True, kw_only=True):
    """Something that a person should know.  ``severity`` is ``note`` or ``warning``."""

    text: str
    severity: str = "note"


class LevelFinished(msgspec.Struct, frozen=True, tag=True, kw_only=True):
    """One build of the chain is done.  ``size`` is the sum of its layers in bytes, uncompressed."""

    level: int
    image: str
    size: int
    is_last: bool
    cached: bool


Event = StepStarted | StepExplained | StepLog | StepFinished | StepProgress | Notice | LevelFinished
Reporter = Callable[[Event], None]


class PlatformReporter:
    """Passes events on; while it has a ``label``, a platform, steps have it in front: ``[linux/arm64 build 2/5]``."""

    def __init__(self, report: Reporter) -> None:
        self._report = report
        self.label = ""

    def __call__(self, event: Event) -> None:
        if self.label and isinstance(event, StepStarted):
            name = event.name
            name = f"[{self.label} {name[1:]}" if name.startswith("[") else f"[{self.label}] {name}"
            event = msgspec.structs.replace(event, name=name)
        self._report(event)


def silent(event: Event) -> None:
    """The reporter that tells nobody."""
