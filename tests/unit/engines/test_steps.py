"""What progress is told of steps that another build does."""

from __future__ import annotations

import pytest

from dockerception.engines.embedded.steps import Steps
from dockerception.parallel import StoppedError
from dockerception.progress import Event, Notice


def test_waiting_is_told_once_and_can_be_stopped() -> None:
    told: list[Event] = []
    is_stopped = False

    def check() -> None:
        if is_stopped:
            raise StoppedError("stopped")

    wait = Steps(told.append).waiting("RUN make", check)
    wait()
    wait()
    assert told == [Notice(text="Another build does the same step, and is waited for: RUN make")]
    is_stopped = True
    with pytest.raises(StoppedError):
        wait()
