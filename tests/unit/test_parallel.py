"""Work in several threads: results in order, the first error, and threads that end."""

from __future__ import annotations

import io
import threading

import pytest

from dockerception.errors import ImageError
from dockerception.parallel import Check, ReadAhead, StoppedError, in_parallel


@pytest.mark.parametrize("threads", [1, 3, 50])
def test_results_come_in_order(threads: int) -> None:
    assert in_parallel(lambda item, check: item * item, range(20), threads=threads) == [
        item * item for item in range(20)
    ]


def test_no_items() -> None:
    assert in_parallel(lambda item, check: item, [], threads=3) == []


def test_not_more_threads_than_allowed() -> None:
    meeting = threading.Barrier(2, timeout=10)
    lock = threading.Lock()
    running, most = 0, 0

    def work(item: int, check: Check) -> None:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        meeting.wait()  # two are at work at the same time
        with lock:
            running -= 1

    in_parallel(work, range(6), threads=2)
    assert most == 2


def test_the_first_error_stops_the_others() -> None:
    has_begun = threading.Event()
    ended: list[type[BaseException]] = []

    def work(item: int, check: Check) -> None:
        if item == 0:
            has_begun.wait(10)
            raise ImageError("It is broken.")
        has_begun.set()
        try:
            while True:
                check()
        except StoppedError as error:
            ended.append(type(error))
            raise

    with pytest.raises(ImageError, match="broken"):
        in_parallel(work, range(2), threads=2)
    assert ended == [StoppedError]


def test_reading_ahead_gives_the_same_bytes() -> None:
    data = bytes(range(256)) * 30_000
    with ReadAhead(io.BytesIO(data).read) as ahead:
        found = b"".join(iter(lambda: ahead.read(70_001), b""))
        assert ahead.read(1) == b""
    assert found == data


def test_an_error_of_the_inner_read_comes_after_the_bytes_before_it() -> None:
    chunks = iter([b"one", b"two"])

    def read(size: int) -> bytes:
        for chunk in chunks:
            return chunk
        raise ImageError("It is cut.")

    with ReadAhead(read) as ahead:
        assert (ahead.read(10), ahead.read(10)) == (b"one", b"two")
        for _ in range(2):
            with pytest.raises(ImageError, match="cut"):
                ahead.read(10)


def test_leaving_early_ends_the_thread() -> None:
    before = threading.active_count()
    with ReadAhead(lambda size: b"for ever", depth=2) as ahead:
        assert ahead.read(3) == b"for"
    assert threading.active_count() == before
