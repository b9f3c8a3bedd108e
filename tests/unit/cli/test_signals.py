"""Signals: the first one is an exception, a container in the foreground gets them instead."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator

import pytest

from dockerception.cli.signals import Ended, SignalHandler, forwarded


@pytest.fixture(autouse=True)
def restored() -> Iterator[None]:
    """The handlers of the test runner are put back."""
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGWINCH)
    before = {number: signal.getsignal(number) for number in numbers}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def test_the_first_signal_raises_and_the_second_does_not_disturb() -> None:
    SignalHandler().install()
    with pytest.raises(Ended) as caught:
        os.kill(os.getpid(), signal.SIGTERM)
    assert caught.value.exit_code == 143
    assert str(caught.value) == "ended by SIGTERM"
    os.kill(os.getpid(), signal.SIGTERM)


def test_what_is_ignored_stays_ignored() -> None:
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    SignalHandler().install()
    os.kill(os.getpid(), signal.SIGHUP)
    assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN


def test_forwarded_signals_reach_the_container_and_the_third_kills() -> None:
    SignalHandler().install()
    sent: list[int] = []
    with forwarded(sent.append):
        for number in (signal.SIGWINCH, signal.SIGINT, signal.SIGTERM, signal.SIGINT):
            os.kill(os.getpid(), number)
    assert sent == [signal.SIGWINCH, signal.SIGINT, signal.SIGTERM, signal.SIGKILL]
    with pytest.raises(Ended):
        os.kill(os.getpid(), signal.SIGINT)
