"""Which proxy to use for a URL, from the environment, as curl and Go's programs read it.

``HTTP_PROXY``, ``HTTPS_PROXY``, ``ALL_PROXY``; ``NO_PROXY`` is a list of ``*``, host names (their subdomains too),
names with a port, addresses and CIDR blocks.  The lower-case variable wins.  Loopback is never proxied.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from typing import Final
from urllib.parse import urlsplit

_DEFAULT_PORTS: Final = {"http": 80, "https": 443}


def find_proxy(url: str, environment: Mapping[str, str]) -> str:
    """The proxy's URL, empty for a direct connection.  A proxy without a scheme is an ``http://`` one."""
    parts = urlsplit(url)
    host = (parts.hostname or "").lower()
    if is_loopback(host):
        return ""
    proxy = _variable(environment, f"{parts.scheme}_proxy") or _variable(environment, "all_proxy")
    if not proxy:
        return ""
    port = parts.port or _DEFAULT_PORTS.get(parts.scheme, 0)
    excluded = _variable(environment, "no_proxy").replace(",", " ").split()
    if any(_covers(entry.lower(), host, port) for entry in excluded):
        return ""
    return proxy if "://" in proxy else f"http://{proxy}"


def is_loopback(host: str) -> bool:
    """Whether a host name or address is this machine's own: ``localhost``, 127.0.0.0/8, ``::1``."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    address = parse_address(host)
    return address is not None and address.is_loopback


def parse_address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """The address that a host is written as; None for a name."""
    try:
        return ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return None


def is_within(host: str, block: str) -> bool:
    """Whether a host is an address in this CIDR block; false for names and for what is no block."""
    address = parse_address(host)
    try:
        return address is not None and address in ipaddress.ip_network(block, strict=False)
    except ValueError:
        return False


def _variable(environment: Mapping[str, str], name: str) -> str:
    return (environment.get(name) or environment.get(name.upper()) or "").strip()


def _covers(entry: str, host: str, port: int) -> bool:
    if entry == "*":
        return True
    if "/" in entry:
        return is_within(host, entry)
    name, colon, wanted_port = entry.rpartition(":")
    if colon and wanted_port.isdigit() and parse_address(entry) is None:
        if int(wanted_port) != port:
            return False
        entry = name
    address = parse_address(entry)
    if address is not None:
        return parse_address(host) == address
    bare = entry.removeprefix("*").removeprefix(".")
    return bool(bare) and (host == bare or host.endswith(f".{bare}"))
