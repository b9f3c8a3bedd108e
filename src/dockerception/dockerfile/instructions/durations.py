"""Durations as Go writes them: ``1h30m``, ``2.5s``, ``300ms``.  The unit is the nanosecond, as in image configs."""

from __future__ import annotations

import re

from ...errors import DockerfileError

_UNITS = {
    "ns": 1,
    "us": 1_000,
    "µs": 1_000,
    "μs": 1_000,
    "ms": 1_000_000,
    "s": 1_000_000_000,
    "m": 60_000_000_000,
    "h": 3_600_000_000_000,
}
_PART = re.compile(r"([0-9]{1,15}(?:\.[0-9]{0,15})?|\.[0-9]{1,15})(ns|us|µs|μs|ms|s|m|h)")
_SHORTEST = _UNITS["ms"]
_LONGEST = 2**63 - 1


def read_duration(name: str, text: str) -> int:
    """Nanoseconds; ``0`` means the engine's default.  Raises ``DockerfileError``, also below one millisecond."""
    if text in ("", "0"):
        return 0
    nanoseconds, position = 0, 0
    while position < len(text):
        match = _PART.match(text, position)
        if not match:
            raise DockerfileError(
                f"HEALTHCHECK --{name} is “{text}”.", hint="write a duration such as 30s, 500ms or 1m30s"
            )
        whole, _, fraction = match[1].partition(".")
        unit = _UNITS[match[2]]
        nanoseconds += int(whole or "0") * unit + int(fraction or "0") * unit // int("1" + "0" * len(fraction))
        position = match.end()
    if nanoseconds and not _SHORTEST <= nanoseconds <= _LONGEST:
        raise DockerfileError(f"HEALTHCHECK --{name} is {text}.", hint="it can't be less than 1ms")
    return nanoseconds


def write_duration(nanoseconds: int) -> str:
    """The shortest text of one unit that gives ``nanoseconds`` back."""
    for unit in ("h", "m", "s", "ms", "us"):
        if nanoseconds % _UNITS[unit] == 0:
            return f"{nanoseconds // _UNITS[unit]}{unit}"
    return f"{nanoseconds}ns"
