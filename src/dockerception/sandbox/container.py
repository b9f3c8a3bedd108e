"""Starts the runtime on a bundle and watches over it: its end, signals for it, and the end of whoever asked."""

from __future__ import annotations

import os
import select
import signal
from typing import Final

from . import calls, linux, runtime, terminal, wire
from .calls import Runtime
from .messages import RunResult
from .worker import Session

_KILL_PATIENCE: Final = 1000  # milliseconds for the runtime to notice that its container has been killed
_EXITED_BY_SIGNAL: Final = 128


def run(which: Runtime, session: Session) -> RunResult:
    """Run the bundle in the session's mount directory to its end.

    No process of the container is left when this returns.
    """
    bundle = session.mounts
    os.chdir(bundle)
    linux.adopt_orphans()
    stdin, stdout, stderr = session.descriptors
    child = os.posix_spawn(
        which.path,
        runtime.command(which),
        _environment(bundle),
        file_actions=[
            (os.POSIX_SPAWN_DUP2, stdin, 0),
            (os.POSIX_SPAWN_DUP2, stdout, 1),
            (os.POSIX_SPAWN_DUP2, stderr, 2),
        ],
        # Python ignores these two, and what is ignored stays so across exec, into the container.
        setsigdef=[signal.SIGPIPE, signal.SIGXFSZ],
    )
    for descriptor in (stdout, stderr):
        os.close(descriptor)  # else the reader of the container's stdout would wait for us, too
    status = _watch(child, session)
    _end_descendants()
    return runtime.result(_returncode(status), _read(f"{bundle}/log"))


def _environment(bundle: str) -> dict[str, str]:
    """The runtime's own.  The last one is where runtimes put the file from which they protect their program; in /tmp
    it would outlive a SIGKILL."""
    return {
        "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        "XDG_RUNTIME_DIR": bundle,
        "_LIBCONTAINER_STATEDIR": bundle,
    }


def _watch(child: int, session: Session) -> int:
    """Wait for the runtime's end; returns its wait status."""
    pidfd = os.pidfd_open(child)
    poller = select.poll()
    poller.register(pidfd, select.POLLIN)
    poller.register(session.conversation, select.POLLIN)
    while True:
        ready = {descriptor for descriptor, _ in poller.poll()}
        if pidfd in ready:
            os.close(pidfd)
            return os.waitpid(child, 0)[1]
        body, _ = wire.receive(session.conversation)
        number = calls.decode_note(body).number if body is not None else signal.SIGKILL
        if number == signal.SIGKILL:
            _kill(child, pidfd, session)
            poller.unregister(session.conversation)
        else:
            _pass_on(number, child, session)


def _kill(child: int, pidfd: int, session: Session) -> None:
    """Kill the container; the runtime gets a moment to see it, because it puts a terminal's mode back."""
    first = _container(session)
    if first:
        _send(first, signal.SIGKILL)
        poller = select.poll()
        poller.register(pidfd, select.POLLIN)
        if poller.poll(_KILL_PATIENCE):
            return
    _send(child, signal.SIGKILL)


def _pass_on(number: int, child: int, session: Session) -> None:
    first = _container(session)
    if number == signal.SIGWINCH and first:
        terminal.resize(first, session.descriptors[0])
    else:
        _send(first or child, number)


def _container(session: Session) -> int:
    """The pid of the container's first process, 0 while there is none."""
    text = _read(f"{session.mounts}/pid")
    return int(text) if text.isdigit() else 0


def _end_descendants() -> None:
    """Kill and reap whatever is left of the container; orphans are handed to this process by the kernel."""
    while True:
        for pid in _read(f"/proc/self/task/{os.getpid()}/children").split():
            _send(int(pid), signal.SIGKILL)
        try:
            os.waitpid(-1, 0)
        except ChildProcessError:
            return


def _send(pid: int, number: int) -> None:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        pass


def _returncode(status: int) -> int:
    code = os.waitstatus_to_exitcode(status)
    return code if code >= 0 else _EXITED_BY_SIGNAL - code


def _read(path: str) -> str:
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read()
    except FileNotFoundError:
        return ""
