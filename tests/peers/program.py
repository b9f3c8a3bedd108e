"""The program under test, run as a user runs it."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from pathlib import Path

from support.bases import Base
from support.place import PROGRAM


def assemble(
    context: Path,
    tag: str,
    bases: Sequence[Base],
    store: Path,
    *,
    output: Path | None = None,
    arguments: Sequence[str] = (),
) -> subprocess.CompletedProcess[bytes]:
    """Run ``dockerception assemble``; ``context`` is a directory, or a tar that is given on stdin.

    ``output`` is where the image is saved as a docker-archive.
    """
    return _run("assemble", context, tag, bases, store, output, arguments)


def build(
    context: Path,
    tag: str,
    bases: Sequence[Base],
    store: Path,
    *,
    output: Path | None = None,
    arguments: Sequence[str] = (),
) -> subprocess.CompletedProcess[bytes]:
    """Run ``dockerception build``, the whole chain; otherwise as ``assemble``."""
    return _run("build", context, tag, bases, store, output, arguments)


def succeed(done: subprocess.CompletedProcess[bytes]) -> None:
    """Fail the test with the program's own words unless it succeeded."""
    assert done.returncode == 0, f"exit {done.returncode}\n{done.stderr.decode(errors='replace')[-4000:]}"


def _run(
    verb: str,
    context: Path,
    tag: str,
    bases: Sequence[Base],
    store: Path,
    output: Path | None,
    arguments: Sequence[str],
) -> subprocess.CompletedProcess[bytes]:
    command = [os.fspath(PROGRAM), verb, "--tag", tag, "--progress", "plain", *arguments]
    for base in bases:
        command += ["--build-context", f"{base.name}=docker-archive:{base.archive}"]
    if output:
        command += ["--output", f"type=docker,dest={output}"]
    command.append("-" if context.is_file() else os.fspath(context))
    stdin = context.read_bytes() if context.is_file() else b""
    environment = {**os.environ, "DOCKERCEPTION_HOME": os.fspath(store)}
    return subprocess.run(command, input=stdin, capture_output=True, env=environment, check=False)
