"""Time in which we were stopped does not count."""

from __future__ import annotations

from dockerception.awake import AwakeTime


class _Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_short_times_add_up() -> None:
    clock = _Clock()
    awake = AwakeTime(2.0, clock)
    for _ in range(10):
        clock.now += 0.5
        awake.look()
    assert awake.look() == 5.0


def test_of_a_long_time_only_a_moment_counts() -> None:
    clock = _Clock()
    awake = AwakeTime(2.0, clock)
    clock.now += 1.0
    assert awake.look() == 1.0
    clock.now += 3600.0
    assert awake.look() == 3.0
    clock.now += 1.0
    assert awake.look() == 4.0
