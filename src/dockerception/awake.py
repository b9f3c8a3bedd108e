"""Time as far as this process was awake: what passes while it is stopped is nobody's silence and nobody's delay.

A process is stopped by Ctrl-Z, by SIGSTOP, by a debugger or a freezer, and with its whole machine.  Whoever has to be
quick was perhaps stopped as well, and what it has done meanwhile has not been looked at.
"""

from __future__ import annotations

import time
from collections.abc import Callable


class AwakeTime:
    """Counts seconds by looking at the clock again and again: of the time between two looks at most ``longest`` counts.

    So it has to be looked at more often than that, by one thread at a time.
    """

    def __init__(self, longest: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._longest = longest
        self._clock = clock
        self._last = clock()
        self._total = 0.0

    def look(self) -> float:
        """The seconds that have been counted since the beginning, up to now."""
        now = self._clock()
        self._total += min(now - self._last, self._longest)
        self._last = now
        return self._total
