"""Stopping processes and letting them go on: one, or a command with all that it has started."""

from __future__ import annotations

import os
import signal
from collections.abc import Sequence
from pathlib import Path

from faults.program import wait_until


def family(pid: int) -> list[int]:
    """A process and all below it, whatever sessions they are in."""
    found = [pid]
    for each in found:  # grows as it goes
        try:
            children = [Path(folder, "children").read_text().split() for folder in Path(f"/proc/{each}/task").iterdir()]
        except OSError:
            continue  # it has ended
        found += [int(child) for of_thread in children for child in of_thread]
    return found


def stop(pids: Sequence[int]) -> None:
    """Stop processes, and wait until they stand still; those that have ended are left out."""
    _send(pids, signal.SIGSTOP)
    wait_until(lambda: all(state(pid) in "TtZX" for pid in pids), "a process does not stop")


def go_on(pids: Sequence[int]) -> None:
    """Let them go on."""
    _send(pids, signal.SIGCONT)


def state(pid: int) -> str:
    """The state of a process, a letter (proc(5)); X where there is none."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return "X"


def _send(pids: Sequence[int], number: int) -> None:
    for pid in pids:
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            continue
