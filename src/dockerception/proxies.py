"""Proxy settings for RUN and for package sources, from where Docker users keep them.

Strongest first: ``--build-arg``, ``proxies.default`` of Docker's ``config.json``, the environment of this process.
They enter neither cache keys nor images.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Final

import msgspec

from .engines.base import PROXY_VARIABLES

_KEYS: Final = {
    "httpProxy": "HTTP_PROXY",
    "httpsProxy": "HTTPS_PROXY",
    "ftpProxy": "FTP_PROXY",
    "noProxy": "NO_PROXY",
    "allProxy": "ALL_PROXY",
}


def find_proxies(build_args: Mapping[str, str]) -> dict[str, str]:
    """The proxy variables for a build, in upper and lower case, as programs look for either."""
    found: dict[str, str] = {}
    for source in (os.environ, _docker_config(), build_args):
        for name in PROXY_VARIABLES:
            value = source.get(name) or source.get(name.lower())
            if value:
                found[name] = found[name.lower()] = value
    return found


def _docker_config() -> dict[str, str]:
    """The default proxies of Docker's client config; nothing where there is no readable one."""
    folder = os.environ.get("DOCKER_CONFIG") or os.path.join(os.path.expanduser("~"), ".docker")
    try:
        with open(os.path.join(folder, "config.json"), "rb") as file:
            default = msgspec.json.decode(file.read())["proxies"]["default"]
        return {_KEYS[key]: value for key, value in default.items() if key in _KEYS and isinstance(value, str)}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}
