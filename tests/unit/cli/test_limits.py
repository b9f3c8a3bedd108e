"""The options that limit containers: what they take, and who refuses them."""

from __future__ import annotations

import pytest

from dockerception.cli import limit_options
from dockerception.engines import capabilities
from dockerception.engines.base import Capabilities, Settings
from dockerception.errors import UnsupportedError, UsageError
from dockerception.limits import OPTIONS, UNLIMITED, Limits, Ulimit
from dockerception.reference import Platform


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("nofile=1024:4096", Ulimit("nofile", 1024, 4096)),
        ("core=0", Ulimit("core", 0, 0)),
        ("stack=8192:-1", Ulimit("stack", 8192, UNLIMITED)),
        ("memlock=-1", Ulimit("memlock", UNLIMITED, UNLIMITED)),
    ],
)
def test_ulimits(text: str, found: Ulimit) -> None:
    assert limit_options.ulimit(text) == found


@pytest.mark.parametrize(
    "text", ["", "nofile", "nofile=", "nofile=many", "files=3", "nofile=5:", "nofile=5:4", "core=-1:4"]
)
def test_what_is_no_ulimit(text: str) -> None:
    with pytest.raises(UsageError):
        limit_options.ulimit(text)


def test_the_later_ulimit_of_a_name_counts() -> None:
    asked = limit_options.limits(
        memory=5, cpus=1.5, pids_limit=7, shm_size=0, ulimits=(Ulimit("core", 1, 1), Ulimit("core", 2, 2))
    )
    assert asked == Limits(memory=5, cpus=1.5, pids=7, ulimits=(Ulimit("core", 2, 2),))
    assert asked.grouped == {"memory": 5, "cpus": 1.5, "pids": 7}


ALL = Limits(memory=1, cpus=0.5, pids=2, shm_size=3, ulimits=(Ulimit("core", 4, 5),), timeout=6.0)


def test_what_is_asked_for() -> None:
    assert Limits().asked == ()
    assert ALL.asked == OPTIONS
    assert Limits(pids=1, timeout=0.5).asked == ("--pids-limit", "--timeout")


@pytest.mark.parametrize("option", OPTIONS)
def test_an_engine_refuses_the_limit_that_it_has_not_before_work(option: str) -> None:
    settings = Settings(platform=Platform.host(), epoch=0, limits=ALL)
    capabilities.check(Capabilities(name="This one", limits=frozenset(OPTIONS)), settings)
    with pytest.raises(UnsupportedError) as failed:
        capabilities.check(Capabilities(name="This one", limits=frozenset(OPTIONS) - {option}), settings)
    assert failed.value.message == f"This one can't limit what steps use by {option}."
    assert "embedded" in failed.value.hint
