"""The one place that starts child processes.

Argument lists only, stdin closed unless given, descriptors closed unless passed, and 127, 126 and signals told apart.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from collections.abc import Mapping, Sequence
from typing import IO

import msgspec

from .errors import DockerceptionError, MachineError

_TAIL_BYTES = 4000
_SHELL_CODES = {126: " (a command can't be executed)", 127: " (a command was not found)"}


class Completed(msgspec.Struct, frozen=True, kw_only=True):
    """What a finished child left: ``returncode`` is negative for a signal, as in ``subprocess``."""

    command: tuple[str, ...]
    returncode: int
    stdout: bytes = b""
    stderr: bytes = b""


class ProcessError(DockerceptionError):
    """A tool that was run for us failed; ``details`` holds the end of its stderr."""

    code = "process"
    exit_code = 7


def find(tool: str) -> str | None:
    """The absolute path of a tool, looked for in PATH and then in the system's sbin folders."""
    path = os.environ.get("PATH", os.defpath)
    return shutil.which(tool, path=f"{path}:/usr/local/sbin:/usr/sbin:/sbin")


def require(tool: str, package: str, purpose: str) -> str:
    """``find``, or a ``MachineError`` that says what to install and what for."""
    found = find(tool)
    if found is None:
        raise MachineError(
            f"The program “{tool}” is missing; it is needed {purpose}.",
            hint=f"install it, e.g. apt-get install {package}",
        )
    return found


def run(
    command: Sequence[str],
    *,
    stdin: bytes | None = None,
    environment: Mapping[str, str] | None = None,
    cwd: str | None = None,
    check: bool = True,
    timeout: float | None = None,
) -> Completed:
    """Run a tool to its end and collect what it prints.

    Raises ``ProcessError`` when ``check`` and it fails, and ``MachineError`` when it can't be started.  ``timeout`` is
    in seconds; a tool that takes longer is killed and raises ``ProcessError``.
    """
    try:
        done = subprocess.run(
            list(command),
            input=stdin,
            stdin=subprocess.DEVNULL if stdin is None else None,
            capture_output=True,
            env=dict(environment) if environment is not None else None,
            cwd=cwd,
            timeout=timeout,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise ProcessError(f"{describe(command)} took longer than {timeout:g} s and was stopped.") from error
    except (OSError, ValueError) as error:
        raise _cannot_start(command, cwd, error) from error
    result = Completed(command=tuple(command), returncode=done.returncode, stdout=done.stdout, stderr=done.stderr)
    if check and done.returncode != 0:
        raise failure(result)
    return result


def start(
    command: Sequence[str],
    *,
    stdin: int | IO[bytes] = subprocess.DEVNULL,
    stdout: int | IO[bytes] | None = subprocess.PIPE,
    stderr: int | IO[bytes] | None = subprocess.PIPE,
    pass_fds: Sequence[int] = (),
    environment: Mapping[str, str] | None = None,
    cwd: str | None = None,
    new_session: bool = True,
) -> subprocess.Popen[bytes]:
    """Start a child and return it; the caller waits for it.  Raises ``MachineError`` when it can't be started."""
    try:
        return subprocess.Popen(
            list(command),
            stdin=stdin,
            stdout=stdout,
            stderr=stderr,
            pass_fds=tuple(pass_fds),
            env=dict(environment) if environment is not None else None,
            cwd=cwd,
            start_new_session=new_session,
        )
    except (OSError, ValueError) as error:
        raise _cannot_start(command, cwd, error) from error


def failure(result: Completed) -> ProcessError:
    """The error that describes a tool's failure: how it ended and the last of what it said."""
    tail = result.stderr[-_TAIL_BYTES:].decode(errors="replace").strip()
    return ProcessError(f"{describe(result.command)} {ending(result.returncode)}.", details=tail)


def ending(returncode: int) -> str:
    """How a process ended, in words: ``exited with code 2`` or ``was ended by SIGKILL``.

    A signal is negative, as in ``subprocess``.  What shells and runtimes mean by 126 and 127 is said too.
    """
    if returncode >= 0:
        return f"exited with code {returncode}" + _SHELL_CODES.get(returncode, "")
    try:
        name = signal.Signals(-returncode).name
    except ValueError:
        name = f"signal {-returncode}"
    return f"was ended by {name}"


def describe(command: Sequence[str]) -> str:
    """The program's name as used in messages."""
    return f"“{os.path.basename(command[0])}”"


def _cannot_start(command: Sequence[str], cwd: str | None, error: OSError | ValueError) -> MachineError:
    if not isinstance(error, OSError):
        reason = "an argument or a variable holds a NUL byte"
    elif cwd is not None and error.filename == cwd:
        reason = f"its working directory {cwd}: {error.strerror}"
    else:
        reason = str(error.strerror)
    return MachineError(f"{describe(command)} can't be started: {reason}.")
