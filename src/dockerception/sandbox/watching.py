"""Watches over a container: its end, signals for it, and the end of whoever asked for it."""

from __future__ import annotations

import os
import select
import signal
from typing import Final, NamedTuple, Protocol

from ..awake import AwakeTime
from . import calls, wire
from .messages import Exceeded
from .worker import Session

_KILL_PATIENCE: Final = 1000  # milliseconds for the runtime to notice that its container has been killed
_EXITED_BY_SIGNAL: Final = 128
_NEVER: Final = float("inf")
_LONGEST_POLL: Final = 1.0  # seconds, where there is a limit


class Container(Protocol):
    """What there is to know of a container that goes on."""

    @property
    def child(self) -> int:
        """The process that was started for it, a child of this one."""

    def first(self) -> int:
        """The pid of its first process, 0 while there is none."""

    def resize(self) -> None:
        """Tell it that the size of its terminal has changed."""


class Ended(NamedTuple):
    """An exit code (128 plus its number for a signal), and ``timeout`` where it was killed for that."""

    returncode: int
    exceeded: Exceeded


def wait_for(container: Container, session: Session, timeout: float = 0.0) -> Ended:
    """Wait for the end of a container; it is killed after ``timeout`` seconds (0: never).

    No process of the container is left when this returns: this process must adopt orphans.
    """
    status, is_late = _watch(container, session, timeout or _NEVER)
    end_descendants()
    code = os.waitstatus_to_exitcode(status)
    return Ended(code if code >= 0 else _EXITED_BY_SIGNAL - code, "timeout" if is_late else "")


def end_descendants() -> None:
    """Kill and reap whatever is left of the container; orphans are handed to this process by the kernel."""
    while True:
        for pid in children():
            send(pid, signal.SIGKILL)
        try:
            os.waitpid(-1, 0)
        except ChildProcessError:
            return


def children() -> list[int]:
    """The pids of this process's children."""
    # As bytes: a signal handler asks, too, in which Python must not begin to look for a codec.
    with open(f"/proc/self/task/{os.getpid()}/children", "rb") as file:
        return [int(pid) for pid in file.read().split()]


def send(pid: int, number: int) -> None:
    """Send a signal to a process that may have ended."""
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        pass


def _watch(container: Container, session: Session, limit: float) -> tuple[int, bool]:
    """Wait for the end of the container's child; returns its wait status, and whether the limit has ended it.

    Time in which this process is stopped does not count: it comes with a machine, or a container, that stands still.
    """
    awake = AwakeTime(2 * _LONGEST_POLL)
    pidfd = os.pidfd_open(container.child)
    poller = select.poll()
    poller.register(pidfd, select.POLLIN)
    poller.register(session.conversation, select.POLLIN)
    # Without a pid namespace nobody else would end the container after the helper.
    poller.register(session.helper, 0)
    is_late = False
    while True:
        left = max(0.0, limit - awake.look())
        longest = None if left == _NEVER else min(left, _LONGEST_POLL) * 1000
        ready = {descriptor for descriptor, _ in poller.poll(longest)}
        if pidfd in ready:
            os.close(pidfd)
            return os.waitpid(container.child, 0)[1], is_late
        if not ready and left > _LONGEST_POLL:
            continue
        is_late = is_late or not ready
        number = signal.SIGKILL if not ready or session.helper in ready else _next_signal(session)
        if number == signal.SIGKILL:
            limit = _NEVER
            _kill(container, pidfd)
            poller.unregister(session.conversation)
            poller.unregister(session.helper)
        elif number == signal.SIGWINCH and container.first():
            container.resize()
        else:
            send(container.first() or container.child, number)


def _next_signal(session: Session) -> int:
    """The signal that whoever asked wants to be sent; SIGKILL where nobody is there any more."""
    body, _ = wire.receive(session.conversation)
    return calls.decode_note(body).number if body is not None else signal.SIGKILL


def _kill(container: Container, pidfd: int) -> None:
    """Kill the container; the runtime gets a moment to see it, because it puts a terminal's mode back."""
    first = container.first()
    if first:
        send(first, signal.SIGKILL)
        poller = select.poll()
        poller.register(pidfd, select.POLLIN)
        if poller.poll(_KILL_PATIENCE):
            return
    send(container.child, signal.SIGKILL)
