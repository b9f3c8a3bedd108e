"""Containers of builds that were killed: they carry a label that says whose they are, and the next build removes them.

A build that ends in any other way has removed its own.
"""

from __future__ import annotations

import os
import socket
from typing import Final

from .api import Daemon

LABEL: Final = "dev.dockerception.builder-of"
_START_TIME: Final = 19  # its place in /proc/PID/stat behind the name, see proc(5)


def owner() -> str:
    """The label's value for this process: machine, boot, process id and when the process was started."""
    return f"{_machine()} {os.getpid()} {_start_time(os.getpid())}"


def remove(daemon: Daemon) -> None:
    """Remove the containers whose process has run on this machine and is gone."""
    for container, value in daemon.labelled(LABEL):
        machine, _, process = value.rpartition(" ")[0].rpartition(" ")
        started = value.rpartition(" ")[2]
        if machine == _machine() and process.isdigit() and _start_time(int(process)) != started:
            daemon.remove(container)


def _machine() -> str:
    try:
        with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
            boot = file.read().strip()
    except OSError:
        boot = "-"
    return f"{socket.gethostname()} {boot}"


def _start_time(process: int) -> str:
    """When a process was started, in clock ticks since boot; empty where there is no such process."""
    try:
        with open(f"/proc/{process}/stat", "rb") as file:
            return file.read().rpartition(b")")[2].split()[_START_TIME].decode()
    except (OSError, IndexError):
        return ""
