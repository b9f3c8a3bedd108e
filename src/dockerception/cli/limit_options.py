"""The options that limit what a container may use, with Docker's names."""

from __future__ import annotations

from typing import Any, Final

from .. import sizes
from ..errors import UsageError
from ..limits import ULIMITS, UNLIMITED, Limits, Ulimit
from .click_types import Value, option
from .values import duration


def _processors(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = -1.0
    if not 0 <= number < 1 << 20:
        raise UsageError(f"“{text}” is no number of processors.", hint="write it as 2 or 1.5")
    return number


def _count(text: str) -> int:
    if text == "-1":
        return 0  # Docker's word for no limit
    if not text.isdecimal() or len(text) > 18:
        raise UsageError(f"“{text}” is no number of processes.", hint="write a whole number, or -1 for no limit")
    return int(text)


def ulimit(text: str) -> Ulimit:
    """``NAME=SOFT[:HARD]``; -1 is no limit."""
    name, _, values = text.partition("=")
    if name not in ULIMITS:
        raise UsageError(f"There is no limit “{name}”.", hint=f"there are {', '.join(ULIMITS)}")
    soft, colon, hard = values.partition(":")
    if not all(each == "-1" or (each.isdecimal() and len(each) < 20) for each in (soft, hard if colon else soft)):
        raise UsageError(f"“{text}” is not a limit.", hint="write NAME=SOFT[:HARD], e.g. nofile=1024:4096")
    found = Ulimit(name, int(soft), int(hard) if colon else int(soft))
    if found.hard != UNLIMITED and not 0 <= found.soft <= found.hard:
        raise UsageError(f"The soft limit of “{text}” is above the hard one.", hint="write NAME=SOFT[:HARD]")
    return found


def _limit(*declarations: str, **attributes: Any) -> Any:
    return option(*declarations, is_common=True, **attributes)


CONTAINER: Final = (
    _limit(
        "--memory",
        metavar="SIZE",
        type=Value("size", sizes.size),
        default=0,
        help="The most memory of what is run: 512m, 2g; as much swap comes on top.  [default: no limit]",
    ),
    _limit(
        "--cpus",
        metavar="NUMBER",
        type=Value("number", _processors),
        default=0.0,
        help="The most processors that it may keep busy: 2, 1.5.  [default: no limit]",
    ),
    _limit(
        "--pids-limit",
        metavar="NUMBER",
        type=Value("number", _count),
        default=0,
        help="The most processes and threads that it may have at once.  [default: no limit]",
    ),
    _limit(
        "--shm-size",
        metavar="SIZE",
        type=Value("size", sizes.size),
        default=0,
        help="The size of its /dev/shm.  [default: 64m]",
    ),
    _limit(
        "--ulimit",
        metavar="NAME=SOFT[:HARD]",
        multiple=True,
        type=Value("limit", ulimit),
        help="A limit of each of its processes, as setrlimit(2) has them: nofile=1024:4096; -1 is none."
        "  [default: those of this process]",
    ),
)
"""Of anything that is run: steps, builders, containers of ``run``."""

STEP: Final = (
    _limit(
        "--timeout",
        metavar="DURATION",
        type=Value("duration", duration),
        default=0.0,
        help="The longest that a step (RUN) may take: 10m, 90s; builders have --emit-timeout.  [default: no limit]",
    ),
)


def limits(
    *,
    memory: int,
    cpus: float,
    pids_limit: int,
    shm_size: int,
    ulimits: tuple[Ulimit, ...],
    timeout: float = 0.0,
) -> Limits:
    """The limits that these options ask for; of two of one name the later one counts."""
    named = {each.name: each for each in ulimits}
    return Limits(
        memory=memory, cpus=cpus, pids=pids_limit, shm_size=shm_size, ulimits=tuple(named.values()), timeout=timeout
    )
