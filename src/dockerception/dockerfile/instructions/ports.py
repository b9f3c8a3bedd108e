"""The ports of EXPOSE: ``[[address:]host port:]port[-last][/protocol]``, of which the image keeps port and protocol."""

from __future__ import annotations

import re
from collections.abc import Iterable

from ...errors import DockerfileError
from ..text import did_you_mean

_PROTOCOLS = ("tcp", "udp", "sctp")
_RANGE = re.compile(r"([0-9]{1,5})(?:-([0-9]{1,5}))?")
_HIGHEST = 65535


def expose_ports(words: Iterable[str]) -> tuple[str, ...]:
    """One ``number/protocol`` for each port, sorted by number; the default protocol is tcp.

    Raises ``DockerfileError`` for a word that names no port.
    """
    ports: set[tuple[int, str]] = set()
    for word in words:
        numbers, _, protocol = word.partition("/")
        protocol = protocol.lower() if "/" in word else "tcp"
        if protocol not in _PROTOCOLS:
            hint = did_you_mean(protocol, _PROTOCOLS, f"a protocol is one of {', '.join(_PROTOCOLS)}")
            raise DockerfileError(f"EXPOSE “{word}” has an unknown protocol.", hint=hint)
        match = _RANGE.fullmatch(numbers.rpartition(":")[2])
        first = int(match[1]) if match else 0
        last = int(match[2] or match[1]) if match else 0
        if not 1 <= first <= last <= _HIGHEST:
            raise DockerfileError(
                f"EXPOSE “{word}” is not a port.", hint="write a number from 1 to 65535, or first-last"
            )
        ports.update((number, protocol) for number in range(first, last + 1))
    return tuple(f"{number}/{protocol}" for number, protocol in sorted(ports))
