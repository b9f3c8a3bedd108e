"""Stopped and continued: a build stands still for longer than its timeouts allow, goes on, and gives the same image.

What passes while we stand still is not the builder's silence.  ``--timeout`` is the worker's: it limits what a step
takes while that is awake, so it goes on where only the command is stopped.  No test fails because a machine is slow.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from faults.program import Program, pids, wait_until
from faults.standing_still import family, go_on, stop
from support.bases import Base

pytestmark = pytest.mark.root

_PROGRAMS = Path(__file__).with_name("programs")
_PATIENCE = 4.0  # seconds, of every timeout in here
_STANDSTILL = 6.0
_SLEEP = f"2.{os.getpid()}"
_WHO: dict[str, tuple[Callable[[int], list[int]], tuple[str, ...]]] = {
    "the command": (lambda pid: [pid], ("--emit-timeout",)),
    "everything": (family, ("--emit-timeout", "--timeout")),
    "all but the command": (lambda pid: family(pid)[1:], ("--timeout",)),
}
"""Who is stopped, and which limits would be passed by then, if time were taken as it passes."""


class _Moment(msgspec.Struct, frozen=True):
    """A build that sleeps for a while, in which it is stopped."""

    verb: str
    text: str


def _step(lines: str) -> _Moment:
    """An image of what a step makes, times and all."""
    done = "touch -d @1600000000 /made/* /made"
    return _Moment(
        "assemble", f"FROM busybox AS one\nRUN mkdir /made; {lines}; {done}\nFROM scratch\nCOPY --from=one /made /\n"
    )


def _builder(script: str) -> _Moment:
    return _Moment("build", f'FROM busybox\nCOPY . /\nCMD ["sh", "-c", "{script}"]\n')


_MOMENTS = {
    "a step": _step(f"echo one > /made/one; sleep {_SLEEP}; echo two > /made/two"),
    "a silent builder": _builder(f"sleep {_SLEEP}; cat /streams/good"),
    "the middle of a stream": _builder(f"head -c 90000 /streams/good; sleep {_SLEEP}; tail -c +90001 /streams/good"),
    "the end of a stream": _builder(f"cat /streams/good; sleep {_SLEEP}"),
}


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory, base: Callable[[str], Base]) -> Program:
    """A store of these tests' own, where ``clean`` builds have not left what a stopped one is to do."""
    program = Program(store=tmp_path_factory.mktemp("stopped") / "store")
    program.succeed("load", "-i", base("busybox").archive)
    return program


@pytest.mark.parametrize(
    ("when", "who"),
    [
        ("a step", "the command"),
        ("a step", "everything"),
        ("a step", "all but the command"),
        ("a silent builder", "the command"),
        ("a silent builder", "everything"),
        ("the middle of a stream", "the command"),
        ("the middle of a stream", "everything"),
        ("the middle of a stream", "all but the command"),
        ("the end of a stream", "everything"),
    ],
)
def test_a_build_goes_on(program: Program, store: Program, project: Path, tmp_path: Path, when: str, who: str) -> None:
    moment = _MOMENTS[when]
    (tmp_path / "Dockerfile").write_text(moment.text)
    who_stops, all_limits = _WHO[who]
    limits = [limit for limit in all_limits if moment.verb == "build" or limit != "--emit-timeout"]
    command = [moment.verb, "-q", "--no-cache", "-f", str(tmp_path / "Dockerfile"), str(project)]
    process = store.start(*command, *(f"{limit}={_PATIENCE:g}s" for limit in limits))
    wait_until(lambda: bool(pids(_SLEEP)) or process.poll() is not None, "the build never came so far")
    stopped = who_stops(process.pid)
    stop(stopped)
    time.sleep(_STANDSTILL)
    go_on(stopped)
    output, errors = process.communicate(timeout=60)
    assert process.returncode == 0, errors.decode()
    assert program.succeed(*command).stdout == output
    store.has_no_leftovers()


def test_a_context_that_arrives_meanwhile(program: Program, project: Path) -> None:
    stream = (project / "streams" / "good").read_bytes()
    process = program.start("assemble", "-q", "-", stdin=subprocess.PIPE)
    assert process.stdin is not None
    process.stdin.write(stream[:1000])
    process.stdin.flush()
    wait_until(lambda: bool(program.leftovers()), "nothing is being received")
    stop([process.pid])
    writer = threading.Thread(target=_write_rest, args=(process, stream[1000:]))
    writer.start()
    go_on([process.pid])
    writer.join()
    assert process.stdout is not None
    assert process.stdout.read() == program.succeed("assemble", "-q", "-", stdin=stream).stdout
    assert process.wait(60) == 0


def test_a_builder_that_is_silent_is_still_found_out(program: Program, project: Path) -> None:
    """Being stopped gives more time, but not for ever."""
    process = program.start("build", "--emit-timeout", "2s", str(project), "--", "sleep", f"86422.{os.getpid()}")
    wait_until(lambda: bool(pids(f"86422.{os.getpid()}")), "the builder never began")
    stop([process.pid])
    time.sleep(0.5)
    go_on([process.pid])
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 4
    assert "silent for 2 s" in errors.decode()
    program.has_no_leftovers()


def test_other_builds_leave_a_stopped_one_alone(program: Program, project: Path, tmp_path: Path) -> None:
    """It is not dead: what it holds and what it has not finished stays, whoever prunes and sweeps."""
    (tmp_path / "Dockerfile").write_text(_step(f"sleep {_SLEEP}; echo done > /made/done").text)
    command = ["assemble", "-q", "--no-cache", "-f", str(tmp_path / "Dockerfile"), str(project)]
    process = program.start(*command)
    wait_until(lambda: bool(pids(_SLEEP)), "the step never began")
    stopped = family(process.pid)
    stop(stopped)
    program.succeed("prune", "--all", "--force")
    program.succeed("doctor", "--store")
    go_on(stopped)
    output, errors = process.communicate(timeout=60)
    assert process.returncode == 0, errors.decode()
    assert program.succeed(*command).stdout == output
    program.has_no_leftovers()


def test_a_download_goes_on() -> None:
    """What has come while we stood still is there, though the time for it has passed."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(60)
        url = f"http://127.0.0.1:{server.getsockname()[1]}/file"
        process = subprocess.Popen([sys.executable, _PROGRAMS / "download.py", url], stdout=subprocess.PIPE)
        connection, _ = server.accept()
        with connection:
            connection.recv(1 << 16)
            connection.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 2000\r\n\r\n" + bytes(1000))
            assert process.stdout is not None
            assert process.stdout.readline() == b"1000\n"
            stop([process.pid])
            connection.sendall(bytes(1000))
            time.sleep(2)  # twice the patience of the client
            go_on([process.pid])
            assert process.stdout.read().splitlines()[-1] == b"2000"
    assert process.wait(60) == 0


def _write_rest(process: subprocess.Popen[bytes], rest: bytes) -> None:
    assert process.stdin is not None
    process.stdin.write(rest)
    process.stdin.close()
