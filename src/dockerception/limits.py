"""Limits of what one container may use: values that every room hands on, enforced by engines."""

from __future__ import annotations

from typing import Final

import msgspec

UNLIMITED: Final = -1

ULIMITS: Final = (
    "core", "cpu", "data", "fsize", "locks", "memlock", "msgqueue", "nice", "nofile", "nproc", "rss", "rtprio",
    "rttime", "sigpending", "stack",
)  # fmt: skip
"""The limits of setrlimit(2) by the names that Docker gives them; address space (``as``) is not among Docker's."""


OPTIONS: Final = ("--memory", "--cpus", "--pids-limit", "--shm-size", "--ulimit", "--timeout")
"""The options that limit something, as messages and ``Capabilities`` name them."""


class Ulimit(msgspec.Struct, frozen=True):
    """One of ``ULIMITS``, soft and hard; ``UNLIMITED`` is none."""

    name: str
    soft: int
    hard: int

    def __str__(self) -> str:
        return f"{self.name}={self.soft}:{self.hard}"


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """What a container may use at most; zero is no limit.

    ``memory`` and ``shm_size`` (of /dev/shm; zero: 64 MiB) are in bytes, ``cpus`` in processors (1.5 is one and a
    half), ``pids`` counts processes and threads, ``timeout`` is in seconds and for steps only.
    """

    memory: int = 0
    cpus: float = 0.0
    pids: int = 0
    shm_size: int = 0
    timeout: float = 0.0
    ulimits: tuple[Ulimit, ...] = ()

    @property
    def asked(self) -> tuple[str, ...]:
        """Those of ``OPTIONS`` that limit something here."""
        values = (self.memory, self.cpus, self.pids, self.shm_size, self.ulimits, self.timeout)
        return tuple(option for option, value in zip(OPTIONS, values, strict=True) if value)

    @property
    def grouped(self) -> dict[str, float]:
        """Those that take a control group (cgroups(7)): ``memory``, ``cpus``, ``pids``."""
        asked = {"memory": self.memory, "cpus": self.cpus, "pids": self.pids}
        return {name: value for name, value in asked.items() if value}


NONE: Final = Limits()
