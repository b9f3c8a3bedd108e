"""What ``doctor`` says of the engines besides the embedded one: who answers where, in which version, and with which
builder.  All are asked at once, and none for longer than a few seconds."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable
from typing import Any, Final

import msgspec

from .. import process
from ..errors import DockerceptionError
from .findings import Check

DEADLINE: Final = 6.0
"""Seconds; a little more than a daemon on this machine is given to answer."""

_VERSION: Final = re.compile(r"\bv?(\d+\.\d+[\w.+~-]*)")


def checks(deadline: float = DEADLINE) -> list[Check]:
    """The findings; who has not answered after ``deadline`` seconds is not waited for."""
    until = time.monotonic() + deadline
    questions = [_Question(*each) for each in (_DOCKER, _PODMAN, _BUILDX)]
    return [question.answer(until) for question in questions]


class _Question:
    """One engine, asked in a thread: ``ask`` gives the detail of a good finding, or raises what is wrong."""

    def __init__(self, name: str, needed_for: str, ask: Callable[[], str]) -> None:
        self._check = Check(name=name, works=False, needed_for=needed_for, detail="it does not answer", hint=_RESTART)
        self._ask = ask
        self._thread = threading.Thread(target=self._work, name=f"doctor-{name}", daemon=True)
        self._thread.start()

    def answer(self, until: float) -> Check:
        self._thread.join(max(0.0, until - time.monotonic()))
        return self._check

    def _work(self) -> None:
        replace = msgspec.structs.replace
        try:
            self._check = replace(self._check, works=True, detail=self._ask(), hint="")
        except DockerceptionError as error:
            details = f" ({error.details.splitlines()[0]})" if error.details else ""
            self._check = replace(self._check, detail=f"{error.message.rstrip('.')}{details}", hint=error.hint)


def _docker() -> str:
    from ..engines.daemon import connect

    daemon = connect.find_daemon("docker")
    command = connect.find_builder(daemon)
    if daemon.name != "Docker":
        builder = "which builds by its API"
    elif command is None:
        why = "docker-buildx would bring BuildKit" if connect.wants_buildkit() else "DOCKER_BUILDKIT asks for that"
        builder = f"with the classic builder ({why})"
    else:
        builder = "with BuildKit, by docker buildx" if command.is_buildx else "with BuildKit, by docker build"
    return f"{_described(daemon)}, {builder}"


def _podman() -> str:
    from ..engines.daemon import connect

    return f"{_described(connect.find_daemon('podman'))}, which builds by its API"


def _buildx() -> str:
    from ..engines.buildx import builders

    program = builders.find_program()
    version = _VERSION.search(process.run([program, "version"], timeout=DEADLINE).stdout.decode(errors="replace"))
    builder = builders.find_builder(seconds=DEADLINE)
    at = f" at {builder.endpoint}" if builder.endpoint else ""
    return (
        f"buildx {version[1] if version else 'of unknown version'} ({program}),"
        f" its builder “{builder.name}” has the driver {builder.driver}{at}"
    )


def _described(daemon: Any) -> str:
    return f"{daemon.name} {daemon.version} at {daemon.address}"


_RESTART: Final = "does it hang? restart it, or correct the address"
_DOCKER: Final = ("docker", "--engine docker, and --load", _docker)
_PODMAN: Final = ("podman", "--engine podman, and --load where there is no Docker", _podman)
_BUILDX: Final = ("buildx", "--engine buildx, and BuildKit in Docker", _buildx)
