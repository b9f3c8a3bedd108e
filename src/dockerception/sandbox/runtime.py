"""The OCI runtimes, crun and runc: their command lines, and what their failures mean."""

from __future__ import annotations

import re
from typing import Final

from .calls import Runtime
from .messages import NotStarted, RunResult

CONTAINER: Final = "step"

_MISSING: Final = re.compile(r"not found in \$PATH|[Nn]o such file or directory|missing dynamic library")
_DENIED: Final = re.compile(r"[Pp]ermission denied|[Oo]peration not permitted|[Ee]xec format error")
_ABOUT_PROGRAM: Final = re.compile(r"executable|\bexec\b")
_MESSAGE: Final = re.compile(r'level=(?:error|fatal) msg="((?:[^"\\]|\\.)*)"')
_CODES: Final = {"not-found": 127, "not-executable": 126, "runtime": 125}


def command(runtime: Runtime) -> list[str]:
    """The command that runs the bundle in the current directory, in the foreground.

    State, log and pid file lie there too, by names without a path, in which crun would take a colon for its own.
    """
    options = ["--root", "state", "--log", "log"]
    if runtime.name == "crun":
        options.append("--cgroup-manager=disabled")
    return [runtime.path, *options, "run", "--bundle", ".", "--pid-file", "pid", CONTAINER]


def result(returncode: int, log: str) -> RunResult:
    """What a runtime's exit code and log say.  Runtimes exit with the process's own code, or with 1 when they fail."""
    said = _said(log)
    if returncode != 1 or not said:
        return RunResult(returncode=returncode)
    kind: NotStarted = "runtime"
    if _ABOUT_PROGRAM.search(said):
        if _MISSING.search(said):
            kind = "not-found"
        elif _DENIED.search(said):
            kind = "not-executable"
    return not_started(kind, f"The container could not be started: {said}.")


def not_started(kind: NotStarted, message: str) -> RunResult:
    """The result of a run whose process never started."""
    return RunResult(returncode=_CODES[kind], not_started=kind, message=message)


def _said(log: str) -> str:
    # runc writes logfmt with warnings among it, crun the bare message.
    found = _MESSAGE.findall(log)
    if found:
        return str(found[-1]).replace('\\"', '"')
    return "" if "level=" in log else log.strip()
