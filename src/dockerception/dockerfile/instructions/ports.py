"""The ports of EXPOSE: ``[[address:]host port:]port[-last][/protocol]``, of which the image keeps port and protocol."""

from __future__ import annotations

import re
from collections.abc import Iterable

from ...errors import DockerfileError
from ..text import did_you_mean

_PROTOCOLS = ("tcp", "udp", "sctp")
_RANGE = re.compile(r"0*([0-9]{1,5})(?:-0*([0-9]{1,5}))?")
_HIGHEST = 65535


def expose_ports(words: Iterable[str]) -> tuple[str, ...]:
    """One ``number/protocol`` for each port, sorted by number; the default protocol is tcp.

    Raises ``DockerfileError`` for a word that names no port, and for an address or host port in front of it that is
    none, though the image keeps neither.
    """
    ports: set[tuple[int, str]] = set()
    for word in words:
        front, _, last_part = word.rpartition(":")
        numbers, _, protocol = last_part.partition("/")
        protocol = protocol.lower() or "tcp"
        if protocol not in _PROTOCOLS:
            hint = did_you_mean(protocol, _PROTOCOLS, f"a protocol is one of {', '.join(_PROTOCOLS)}")
            raise DockerfileError(f"EXPOSE “{word}” has an unknown protocol.", hint=hint)
        wanted = _range(numbers)
        if wanted is None:
            raise DockerfileError(f"EXPOSE “{word}” is not a port.", hint="write a number up to 65535, or first-last")
        _check_front(word, front, len(wanted))
        ports.update((number, protocol) for number in wanted)
    return tuple(f"{number}/{protocol}" for number, protocol in sorted(ports))


def _range(text: str) -> range | None:
    """The numbers of ``first-last`` or of one port; ``None`` where ``text`` is neither."""
    match = _RANGE.fullmatch(text)
    if match is None:
        return None
    first, last = int(match[1]), int(match[2] or match[1])
    return range(first, last + 1) if first <= last <= _HIGHEST else None


def _check_front(word: str, front: str, count: int) -> None:
    """What stands before the port: ``[address:]host port``, where either may be empty; a host has as many ports as the
    container, or a range to choose the one from."""
    address, _, host_port = front.rpartition(":")
    if host_port:
        on_host = _range(host_port)
        if on_host is None or (len(on_host) != count != 1):
            raise DockerfileError(
                f"EXPOSE “{word}” has “{host_port}” for a port of the host.", hint="name the container's port only"
            )
    if address:
        from ipaddress import ip_address

        try:
            ip_address(address.removeprefix("[").removesuffix("]"))
        except ValueError as error:
            raise DockerfileError(
                f"EXPOSE “{word}” has “{address}” for an address.", hint="name the container's port only"
            ) from error
