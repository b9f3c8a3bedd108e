"""When a request is tried again, and after how long."""

from __future__ import annotations

import pytest

from dockerception.http.retry import Policy, retry_after

NOW = 1_700_000_000.0  # 2023-11-14 22:13:20 UTC


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("7", 7.0),
        (" 0 ", 0.0),
        ("Tue, 14 Nov 2023 22:13:50 GMT", 30.0),
        ("Tue, 14 Nov 2023 22:13:00 GMT", 0.0),
        ("", None),
        ("soon", None),
        ("-3", None),
        ("1.5", None),
    ],
)
def test_retry_after(value: str, seconds: float | None) -> None:
    assert retry_after(value, NOW) == seconds


def test_waits_double_up_to_a_ceiling() -> None:
    policy = Policy(attempts=8, base=1, ceiling=10, jitter=lambda: 1.0)
    assert [policy.delay(tried) for tried in range(1, 9)] == [1, 2, 4, 8, 10, 10, 10, None]


def test_a_part_of_a_wait_is_random() -> None:
    least, most = Policy(base=8, jitter=lambda: 0.0), Policy(base=8, jitter=lambda: 1.0)
    assert (least.delay(1), most.delay(1)) == (4, 8)


def test_what_the_server_asks_for_counts_if_it_is_bearable() -> None:
    policy = Policy(patience=60, now=lambda: NOW)
    assert policy.delay(1, {"retry-after": "59"}) == 59
    assert policy.delay(1, {"retry-after": "61"}) is None
    assert policy.delay(policy.attempts, {"retry-after": "1"}) is None
