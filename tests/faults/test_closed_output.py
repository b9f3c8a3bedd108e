"""Nobody reads stdout any more (``| head``), or stderr: the exit code, no word about it, and nothing left behind."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

from faults.program import Program, pids, wait_until

pytestmark = pytest.mark.root

_CLOSED = 141  # 128 and SIGPIPE, as a shell reports it
_FOREVER = f"86411.{os.getpid()}"
_STREAMS = {
    "context": ("context", "--no-cache", "PROJECT"),
    "a cached context": ("context", "PROJECT"),
    "save": ("save", "busybox"),
    "save as a layout": ("save", "--format", "oci", "busybox"),
    "build": ("build", "-o", "-", "PROJECT"),
    "build as a layout": ("build", "-t", "piped", "-o", "type=oci,dest=-", "PROJECT"),
    "build as an archive": ("build", "-t", "piped", "-o", "type=docker,dest=-", "PROJECT"),
}
_TEXTS = {
    "images": ("images",),
    "images as JSON": ("images", "--format", "json"),
    "inspect": ("inspect", "busybox"),
    "history": ("history", "busybox"),
    "df": ("df",),
    "doctor": ("doctor",),
    "doctor of the store": ("doctor", "--store"),
    "levels": ("levels", "PROJECT"),
    "check": ("build", "--check", "PROJECT"),
    "a quiet build": ("build", "-q", "PROJECT"),
    "prune": ("prune", "--force"),
    "help": ("build", "--help"),
    "version": ("--version",),
    "completion": ("completion", "bash"),
}


@pytest.mark.parametrize("case", _STREAMS)
def test_one_who_takes_the_first_byte(program: Program, project: Path, case: str) -> None:
    process = _start(program, project, _STREAMS[case])
    assert process.stdout is not None
    assert process.stdout.read(1)
    process.stdout.close()
    _check(program, process, _CLOSED)
    assert set(program.names()) == {"busybox:latest"}


@pytest.mark.parametrize("case", _STREAMS | _TEXTS)
def test_nobody_from_the_beginning(program: Program, project: Path, case: str) -> None:
    process = _start(program, project, (_STREAMS | _TEXTS)[case])
    assert process.stdout is not None
    process.stdout.close()
    _check(program, process, _CLOSED)
    assert set(program.names()) == {"busybox:latest"}


def test_a_container_is_told_by_its_own_stdout(program: Program) -> None:
    """As with ``docker run``, what it does then is its own business: this one ends by SIGPIPE, or fails to write."""
    process = program.start("run", "busybox", "sh", "-c", "yes; echo ended $? >&2; sleep 0.1")
    assert process.stdout is not None
    process.stdout.read(1)
    process.stdout.close()
    assert process.stderr is not None
    assert "ended" in process.stderr.read().decode()
    process.communicate(timeout=60)
    assert process.returncode == 0
    program.has_no_leftovers()


def test_a_pipe_with_a_name_is_an_output_like_others(program: Program, project: Path, tmp_path: Path) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    with subprocess.Popen(["head", "-c", "1", fifo], stdout=subprocess.DEVNULL):
        done = program.run("build", "--progress", "plain", "-t", "piped", "-o", f"type=docker,dest={fifo}", project)
    assert done.code == 5
    done.has_said(f"error.transport.: {fifo} can't be written: Broken pipe")
    assert "BrokenPipeError" not in done.errors
    assert set(program.names()) == {"busybox:latest"}


_WITHOUT_STDERR = {
    "a build": (("build", "PROJECT"), 0),
    "a wrong option": (("build", "--wrong"), 2),
    "an unknown command": (("biuld",), 2),
    "no such image": (("rm", "nothing"), 5),
    "no such directory": (("build", "/nowhere"), 4),
    "a step that fails": (("assemble", "-f", "FAILING", "PROJECT"), 1),
    "a container that can't start": (("run", "busybox", "nowhere"), 127),
    "run of no image": (("run", "nothing"), 125),
}


@pytest.mark.parametrize("case", _WITHOUT_STDERR)
def test_nobody_reads_stderr(program: Program, project: Path, tmp_path: Path, case: str) -> None:
    """The exit code is what it would be: there is nobody to be told, but a script still asks."""
    words, code = _WITHOUT_STDERR[case]
    failing = tmp_path / "Dockerfile"
    failing.write_text("FROM busybox\nRUN echo output; exit 3\n")
    process = _start(program, project, [str(failing) if word == "FAILING" else word for word in words])
    assert process.stderr is not None
    process.stderr.close()
    process.stderr = None
    process.communicate(timeout=60)
    assert process.returncode == code
    program.has_no_leftovers()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_when_nobody_reads_stderr(program: Program, tmp_path: Path, number: signal.Signals) -> None:
    (tmp_path / "Dockerfile").write_text(f"FROM busybox\nRUN sleep {_FOREVER}\n")
    process = program.start("assemble", "-t", "unwanted", str(tmp_path))
    assert process.stderr is not None
    process.stderr.close()
    process.stderr = None
    wait_until(lambda: bool(pids(_FOREVER)), "the step never began")
    process.send_signal(number)
    process.communicate(timeout=60)
    assert process.returncode == 128 + number
    program.has_no_leftovers()
    assert set(program.names()) == {"busybox:latest"}


def _start(program: Program, project: Path, words: Sequence[str]) -> subprocess.Popen[bytes]:
    return program.start(*(str(project) if word == "PROJECT" else word for word in words))


def _check(program: Program, process: subprocess.Popen[bytes], code: int) -> None:
    """A closed stdout is no mistake: nothing is said of it."""
    assert process.stderr is not None
    errors = process.stderr.read().decode()
    process.wait(60)
    assert process.returncode == code, errors
    assert "error[" not in errors
    assert "Traceback" not in errors
    assert "BrokenPipeError" not in errors
    program.has_no_leftovers()
