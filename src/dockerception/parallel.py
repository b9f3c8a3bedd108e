"""Work in several threads: a few items at a time, or reading ahead of whoever uses the bytes.

All threads are daemons: an interrupted program does not wait for a network that is silent.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Final, TypeVar

from .errors import DockerceptionError

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")
_CHUNK: Final = 1 << 20
_GRACE_SECONDS: Final = 1.0
_POLL_SECONDS: Final = 0.2

Check = Callable[[], None]
"""Called now and then by work in parallel; raises ``StoppedError`` when something else has failed."""


class StoppedError(DockerceptionError):
    """Work was given up because other work has failed.  Only what failed first is seen."""

    code = "stopped"


def in_parallel(work: Callable[[_Item, Check], _Result], items: Sequence[_Item], *, threads: int) -> list[_Result]:
    """The results of ``work(item, check)`` for all items, in their order, at most ``threads`` at a time.

    Raises the first exception; what is under way then ends at its next ``check()``, and is waited for a few seconds.
    """
    if threads < 2 or len(items) < 2:
        return [work(item, _never) for item in items]
    return _Crew(work, items).run(min(threads, len(items)))


def _never() -> None:
    return None


class _Crew:
    def __init__(self, work: Callable[[_Item, Check], _Result], items: Sequence[_Item]) -> None:
        self._work = work
        self._items = list(items)
        self._numbers = iter(range(len(items)))
        self._lock = threading.Lock()
        self._results: dict[int, object] = {}
        self._stop = threading.Event()
        self._errors: list[BaseException] = []

    def run(self, threads: int) -> list[_Result]:
        crew = [threading.Thread(target=self._run, name=f"parallel-{number}", daemon=True) for number in range(threads)]
        for thread in crew:
            thread.start()
        try:
            for thread in crew:
                while thread.is_alive() and not self._errors:
                    thread.join(_POLL_SECONDS)
        finally:
            self._stop.set()
            deadline = time.monotonic() + _GRACE_SECONDS
            for thread in crew:
                thread.join(max(0.0, deadline - time.monotonic()))
        if self._errors:
            raise self._errors[0]
        return [self._results[number] for number in range(len(self._items))]  # type: ignore[misc]

    def _run(self) -> None:
        try:
            while not self._stop.is_set() and (number := self._next()) is not None:
                result = self._work(self._items[number], self._check)
                with self._lock:
                    self._results[number] = result
        except BaseException as error:  # noqa: BLE001 - it is raised again by ``run``
            with self._lock:
                self._errors.append(error)
            self._stop.set()

    def _next(self) -> int | None:
        with self._lock:
            return next(self._numbers, None)

    def _check(self) -> None:
        if self._stop.is_set():
            raise StoppedError("Stopped, because something else failed.")


class ReadAhead:
    """A ``read(n)`` whose bytes a thread of its own reads before they are asked for, at most ``depth`` MiB of them.

    What the inner read raises, ``read`` raises.  A context manager; leaving it early lets the thread end.
    """

    def __init__(self, read: Callable[[int], bytes], *, depth: int = 8) -> None:
        self._inner = read
        self._queue: queue.Queue[bytes | BaseException] = queue.Queue(depth)
        self._rest = memoryview(b"")
        self._is_left = threading.Event()
        self._end: bytes | BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="read-ahead", daemon=True)

    def read(self, size: int) -> bytes:
        """At most ``size`` bytes, none at the end."""
        if not self._rest:
            item = self._queue.get() if self._end is None else self._end
            if isinstance(item, BaseException) or not item:
                self._end = item
            if isinstance(item, BaseException):
                raise item
            self._rest = memoryview(item)
        piece = self._rest[:size]
        self._rest = self._rest[len(piece) :]
        return bytes(piece)

    def __enter__(self) -> ReadAhead:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._is_left.set()
        self._thread.join(_GRACE_SECONDS)

    def _run(self) -> None:
        try:
            while not self._is_left.is_set():
                chunk = self._inner(_CHUNK)
                self._put(chunk)
                if not chunk:
                    return
        except BaseException as error:  # noqa: BLE001 - it is raised again where the bytes are asked for
            self._put(error)

    def _put(self, item: bytes | BaseException) -> None:
        while not self._is_left.is_set():
            try:
                self._queue.put(item, timeout=_POLL_SECONDS)
            except queue.Full:
                continue
            return
