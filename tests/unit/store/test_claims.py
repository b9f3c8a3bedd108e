"""Claims: one at a time, the others wait and are told so; a process that dies holds nothing."""

from __future__ import annotations

import errno
import os
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from dockerception.store.claims import Claims
from unit.store.things import python


def test_one_makes_it_and_the_others_find_it(tmp_path: Path) -> None:
    claims = Claims(str(tmp_path))
    made: list[int] = []
    at_once = threading.Barrier(8)

    def work(number: int) -> bool:
        at_once.wait()
        with claims.claim("thing") as has_waited:
            if not made:
                made.append(number)
            return has_waited

    with ThreadPoolExecutor(8) as pool:
        told = list(pool.map(work, range(8)))
    assert len(made) == 1
    assert not told[made[0]]
    assert os.listdir(tmp_path / "claims") == []


def test_other_things_do_not_wait(tmp_path: Path) -> None:
    claims = Claims(str(tmp_path))
    with claims.claim("one") as first, claims.claim("two") as second:
        assert (first, second) == (False, False)


def test_waiting_can_be_ended(tmp_path: Path) -> None:
    def stop() -> None:
        raise KeyboardInterrupt

    claims = Claims(str(tmp_path))
    with claims.claim("thing"), pytest.raises(KeyboardInterrupt), claims.claim("thing", stop):
        pass
    assert os.listdir(tmp_path / "claims") == []


def test_a_failure_lets_the_next_one_try(tmp_path: Path) -> None:
    claims = Claims(str(tmp_path))
    with pytest.raises(ValueError, match="failed"), claims.claim("thing"):
        raise ValueError("failed")
    with claims.claim("thing") as has_waited:
        assert not has_waited


def test_a_killed_process_claims_nothing(tmp_path: Path) -> None:
    process = python("claim_thing", str(tmp_path))
    assert process.stdout is not None
    assert process.stdout.readline() == "claimed\n"
    calls = iter((lambda: None, process.kill))

    def check() -> None:
        next(calls, lambda: None)()

    with Claims(str(tmp_path)).claim("thing", check) as has_waited:
        assert has_waited
    assert process.wait() == -9
    process.communicate()


def test_where_no_claim_can_be_made_work_goes_on(tmp_path: Path) -> None:
    (tmp_path / "claims").write_text("in the way")
    with Claims(str(tmp_path)).claim("thing") as has_waited:
        assert not has_waited


def test_a_claim_that_can_not_be_taken_away_is_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(path: str) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO), path)

    claims = Claims(str(tmp_path))
    with monkeypatch.context() as patched:
        patched.setattr(os, "unlink", fail)
        with claims.claim("thing"):
            pass
    assert len(os.listdir(tmp_path / "claims")) == 1
    with claims.claim("thing") as has_waited:
        assert not has_waited
    assert os.listdir(tmp_path / "claims") == []
