"""The files of ``/etc`` that a run sees instead of the image's own, because they tell of the network that it has."""

from __future__ import annotations

import os
from typing import Final

from .copies import copy_tree
from .messages import Mount, RunRequest
from .mounts import Prepared
from .worker import Session

_RESOLV_CONF: Final = "/etc/resolv.conf"


def prepare(request: RunRequest, session: Session) -> list[Prepared]:
    """``/etc/hosts`` with the request's own lines, and the machine's ``/etc/resolv.conf`` if it has one."""
    hosts = f"{session.mounts}/hosts"
    lines = [
        f"127.0.0.1\tlocalhost {request.hostname}",
        "::1\tlocalhost ip6-localhost ip6-loopback",
        *(f"{address}\t{name}" for name, address in request.hosts),
    ]
    with open(hosts, "w", encoding="utf-8") as file:
        file.write("\n".join(lines) + "\n")
    files = [_readonly(hosts, "/etc/hosts")]
    if os.path.exists(_RESOLV_CONF):
        files.append(_readonly(_resolv_conf(session), _RESOLV_CONF))
    return files


def _resolv_conf(session: Session) -> str:
    """The file to show.  A mount shows the machine's own, changes included; without one it has to be a copy."""
    own = os.path.realpath(_RESOLV_CONF)
    if session.has_namespaces:
        return own
    copy = f"{session.mounts}/resolv.conf"
    copy_tree(own, copy)
    return copy


def _readonly(path: str, target: str) -> Prepared:
    return Prepared(Mount(kind="secret", target=target), path)
