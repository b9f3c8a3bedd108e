"""Signals as exceptions of the main thread, so that a build that is told to end cleans up like one that fails.

While a container runs in the foreground, it is the container that is told, as with ``docker run``.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Final

_ENDING: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_PATIENCE: Final = 3
_GRACE_SECONDS: Final = 10.0


class Ended(BaseException):
    """A signal asked for the end.  Not an ``Exception``: nothing but the entry point may stop it."""

    def __init__(self, number: int) -> None:
        self.message = f"ended by {signal.Signals(number).name}"
        self.number = number
        super().__init__(self.message)

    @property
    def exit_code(self) -> int:
        """128 and the signal's number, as shells have it."""
        return 128 + self.number


class SignalHandler:
    """Raises ``Ended`` at the first signal; further ones don't disturb the cleaning up, and the third ends at once."""

    def __init__(self) -> None:
        self._count = 0

    def install(self) -> None:
        """Handle what a terminal, a shell or an init sends to end a program; what is ignored (nohup) stays so."""
        for number in _ENDING:
            if signal.getsignal(number) is not signal.SIG_IGN:
                signal.signal(number, self._received)

    def ignore(self) -> None:
        """Keep the exit code as it is now: while it shuts down, Python puts the default actions back."""
        for number in _ENDING:
            signal.signal(number, signal.SIG_IGN)

    def _received(self, number: int, frame: FrameType | None) -> None:
        self._count += 1
        if self._count >= _PATIENCE:
            os._exit(128 + number)
        if self._count == 1:
            raise Ended(number)


@contextmanager
def forwarded(send: Callable[[int], None]) -> Iterator[None]:
    """Pass signals on through ``send`` while the block lasts.

    A first process of a container that has no handler for a signal never gets it; so SIGKILL follows after ten
    seconds, or at the third signal.
    """
    count = 0
    timers: list[threading.Timer] = []

    def received(number: int, frame: FrameType | None) -> None:
        nonlocal count
        if number == signal.SIGWINCH:
            send(number)
            return
        count += 1
        send(signal.SIGKILL if count >= _PATIENCE else number)
        if count == 1:
            timer = threading.Timer(_GRACE_SECONDS, send, [signal.SIGKILL])
            timer.daemon = True
            timer.start()
            timers.append(timer)

    handled = [number for number in (*_ENDING, signal.SIGWINCH) if signal.getsignal(number) is not signal.SIG_IGN]
    before = {number: signal.signal(number, received) for number in handled}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        for timer in timers:
            timer.cancel()
