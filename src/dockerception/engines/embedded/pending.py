"""Stages being built at the same time: results that others wait for, and one stop for all of them."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

from ...errors import DockerceptionError

_T = TypeVar("_T")


class StoppedError(DockerceptionError):
    """Work was given up because other work has failed.  Only what failed first leaves the engine."""

    code = "stopped"


class Stop:
    """Set once, when the first thing fails or the build is interrupted; everything at work looks at it now and then."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._event = threading.Event()
        self.reason: BaseException | None = None

    def set(self, reason: BaseException) -> None:
        """Have everything stop; the first reason counts."""
        with self._lock:
            if self.reason is None:
                self.reason = reason
            self._event.set()

    def is_set(self) -> bool:
        """Whether to stop (what ``sandbox.client.Cancel`` asks)."""
        return self._event.is_set()

    def check(self) -> None:
        """Raises ``StoppedError`` when it is set."""
        if self._event.is_set():
            raise StoppedError("Stopped, because something else failed.")


class Pending(Generic[_T]):
    """The result of a call that one thread makes and any number wait for."""

    def __init__(self, call: Callable[[], _T], stop: Stop) -> None:
        self._call = call
        self._stop = stop
        self._done = threading.Event()
        self._results: list[_T] = []
        self._thread: threading.Thread | None = None

    def run(self) -> None:
        """Make the call in this thread.  Raises nothing: an exception sets ``stop``, a KeyboardInterrupt too."""
        try:
            self._results.append(self._call())
        except BaseException as error:  # noqa: BLE001 - it is raised again where the result is asked for
            self._stop.set(error)
        finally:
            self._done.set()

    def start(self) -> None:
        """Make the call in a thread of its own."""
        thread = threading.Thread(target=self.run, daemon=True)
        thread.start()
        self._thread = thread

    def abandon(self) -> None:
        """Let nobody wait any longer; ``stop`` is set."""
        self._done.set()

    def result(self) -> _T:
        """Wait for the result.  Raises ``StoppedError`` if there will be none; ``stop`` has the reason."""
        self._done.wait()
        if not self._results:
            self._stop.check()
        return self._results[0]

    def join(self) -> None:
        """Wait until its thread, if it has one, has ended."""
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join()
