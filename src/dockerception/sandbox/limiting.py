"""Puts the limits of a request on its process, and says afterwards which of them has ended it."""

from __future__ import annotations

import os
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import msgspec

from ..errors import MachineError
from ..limits import UNLIMITED, Limits
from . import cgroups, spec
from .calls import Done, LimitsCall
from .messages import RunResult
from .watching import Ended

# The runtime gives the hook the container's state on stdin; it waits for the hook before it starts the program.
_ENTER: Final = (
    'pid=$(sed -n "s/.*\\"pid\\": *\\([0-9][0-9]*\\).*/\\1/p")\nfor group; do echo "$pid" > "$group" || exit 1; done'
)


@contextmanager
def groups(limits: Limits) -> Iterator[list[cgroups.Group]]:
    """Control groups with the limits that take one, gone afterwards.  Raises ``MachineError`` as ``cgroups.make``."""
    made = cgroups.make(limits.grouped, os.urandom(8).hex()) if limits.grouped else []
    try:
        yield made
    finally:
        cgroups.remove(made)


def hooks(made: list[cgroups.Group]) -> spec.Hooks:
    """What a runtime does to put a container into the groups, itself staying outside."""
    if not made:
        return {}
    arguments = ["sh", "-c", _ENTER, "sh", *(group.processes for group in made)]
    return {"createRuntime": [{"path": "/bin/sh", "args": arguments, "env": [spec.PATH]}]}


def judged(result: RunResult, ended: Ended, made: list[cgroups.Group]) -> RunResult:
    """The result, with the limit that a process was killed for."""
    if ended.exceeded:
        return msgspec.structs.replace(result, exceeded=ended.exceeded)
    if result.returncode and cgroups.has_run_out_of_memory(made):
        return msgspec.structs.replace(result, exceeded="memory")
    return result


def set_ulimits(limits: Limits) -> None:
    """Set the limits of setrlimit(2) on this process.  A hard one above its own takes CAP_SYS_RESOURCE."""
    for each in limits.ulimits:
        soft, hard = (resource.RLIM_INFINITY if value == UNLIMITED else value for value in (each.soft, each.hard))
        resource.setrlimit(getattr(resource, f"RLIMIT_{each.name.upper()}"), (soft, hard))


def check_chroot(limits: Limits) -> None:
    """Raise for what takes a mount of the process's own."""
    if limits.shm_size:
        raise MachineError(
            "In a chroot /dev/shm has no size of its own (--shm-size).", hint="leave it out, or run where containers do"
        )


def check(call: LimitsCall) -> Done:
    """Find out whether one limit can be set here, by setting it; raises ``MachineError``."""
    with groups(call.limits):
        return Done()
