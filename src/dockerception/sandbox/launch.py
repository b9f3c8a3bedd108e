"""Starts the helper: ``unshare`` makes the namespaces, the same Python runs ``helper.main`` as their first process.

Where there can be none, that Python is started without ``unshare``.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from typing import IO, Final

from .. import process
from ..errors import MachineError
from . import causes, idmap
from .namespaces import NAMESPACES

# -I and -S keep PYTHON* variables, the current directory and site's start-up work out; the path is the parent's own, so
# the helper finds the same dockerception however it was installed.
_BOOT: Final = (
    "import sys; n = int(sys.argv[1]); sys.path[:] = sys.argv[2:2 + n];"
    " from dockerception.sandbox.helper import main; main(sys.argv[2 + n:])"
)
# Waits, in its new user namespace, until its ids are mapped: only then does a new program get capabilities.
_WAIT_FOR_MAPS: Final = 'echo && read -r go && exec "$@" < /dev/null > /dev/null'


class Helper:
    """A started helper: its process (that of ``unshare``), the control socket, and what it said on stderr."""

    def __init__(self, child: subprocess.Popen[bytes], control: socket.socket, said: IO[bytes]) -> None:
        self._child = child
        self._said = said
        self.control = control

    def stop(self) -> None:
        """Close the control socket and wait until the namespace is empty, at most five seconds; then kill it."""
        self.control.close()
        try:
            self._child.wait(5)
        except subprocess.TimeoutExpired:
            self._child.kill()
            self._child.wait()
        self._said.close()

    def failure(self) -> MachineError:
        """Why no answer came: the helper ended, or only the worker."""
        try:
            how = process.ending(self._child.wait(0.2))
        except subprocess.TimeoutExpired:
            return MachineError(
                "A worker of the sandbox ended without an answer.", hint="look whether the machine is out of memory"
            )
        self._said.seek(0)
        return MachineError(
            f"The sandbox's helper {how}.",
            details=self._said.read().decode(errors="replace").strip()[-2000:],
            hint="dockerception doctor says what this machine lacks",
        )


def start(root: str, *, has_namespaces: bool) -> Helper:
    """Start a helper for the store at ``root``.  It may still be starting when this returns.

    Raises ``MachineError`` where a tool is missing or the id maps can't be written.
    """
    unshare = process.require("unshare", "util-linux", "to run steps") if has_namespaces else ""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    said = os.fdopen(os.memfd_create("helper-stderr"), "w+b")
    with theirs:
        command = _python(theirs.fileno(), root, "namespaces" if has_namespaces else "plain")
        if has_namespaces:
            command = [unshare, *NAMESPACES, "--", *command]
        try:
            if not has_namespaces or not causes.needs_user_namespace():
                child = process.start(
                    command, stdout=subprocess.DEVNULL, stderr=said, pass_fds=(theirs.fileno(),), cwd="/"
                )
            else:
                child = _start_as_user(unshare, command, said, theirs.fileno())
        except BaseException:
            ours.close()
            said.close()
            raise
    return Helper(child, ours, said)


def _python(control: int, root: str, kind: str) -> list[str]:
    path = [entry for entry in sys.path if os.path.isabs(entry)]
    return [sys.executable, "-I", "-S", "-c", _BOOT, str(len(path)), *path, str(control), root, kind]


def _start_as_user(unshare: str, command: list[str], said: IO[bytes], control: int) -> subprocess.Popen[bytes]:
    waiting = [unshare, "--user", "--", "/bin/sh", "-c", _WAIT_FOR_MAPS, "sh", *command]
    child = process.start(waiting, stdin=subprocess.PIPE, stderr=said, pass_fds=(control,), cwd="/")
    try:
        _map_ids(child, said)
    except BaseException:
        child.kill()
        raise
    finally:
        for pipe in (child.stdin, child.stdout):
            if pipe is not None:
                pipe.close()
    return child


def _map_ids(child: subprocess.Popen[bytes], said: IO[bytes]) -> None:
    if child.stdin is None or child.stdout is None or not child.stdout.readline():
        raise _no_user_namespace(said)
    idmap.write(child.pid)
    child.stdin.write(b"\n")


def _no_user_namespace(said: IO[bytes]) -> MachineError:
    said.seek(0)
    cause = causes.of_no_namespaces(causes.facts())
    return MachineError(
        f"This user can't make a user namespace: {cause.reason}.",
        details=said.read().decode(errors="replace").strip(),
        hint=cause.remedy,
    )
