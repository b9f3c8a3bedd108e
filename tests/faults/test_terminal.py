"""Builds on a terminal that is closed, that nobody reads, and on which Ctrl-C and Ctrl-Z are pressed."""

from __future__ import annotations

import os
import shlex
import signal
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from faults.program import Program, pids, wait_until
from faults.terminal import Terminal

pytestmark = pytest.mark.root

_FOREVER = f"86433.{os.getpid()}"
_SHORT = f"1.5{os.getpid()}"
_SLEEP = f"sleep {_FOREVER}"


class _Moment(msgspec.Struct, frozen=True):
    """A build that goes on for ever: its verb, what a step does, and what its builder does."""

    verb: str
    step: str = "true"
    builder: str = "true"


_MOMENTS = {
    "a step": _Moment("assemble", step=_SLEEP),
    "a step that ignores it": _Moment("assemble", step=f"trap '' HUP INT; setsid {_SLEEP} & {_SLEEP}; {_SLEEP}"),
    "a step that talks": _Moment("assemble", step=f"{_SLEEP} & while true; do echo line; done"),
    "a silent builder": _Moment("build", builder=_SLEEP),
    "the middle of a stream": _Moment("build", builder=f"cat /streams/cut; {_SLEEP}"),
}
_MODES = ("tty", "plain", "json")


@pytest.fixture
def command(program: Program, project: Path, tmp_path: Path, request: pytest.FixtureRequest) -> list[str | Path]:
    """The command of the moment that a test is parametrized with."""
    return _command(program, project, tmp_path, _MOMENTS[request.getfixturevalue("when")])


def _command(program: Program, project: Path, folder: Path, moment: _Moment) -> list[str | Path]:
    text = f'FROM busybox\nCOPY . /\nRUN {moment.step}\nCMD ["sh", "-c", "{moment.builder}"]\n'
    (folder / "Dockerfile").write_text(text)
    return [program.command, moment.verb, "-t", "unwanted", "-f", folder / "Dockerfile", project]


@pytest.fixture
def begun(program: Program) -> Iterator[list[Terminal]]:
    """The terminals of a test; whatever it leaves is ended."""
    terminals: list[Terminal] = []
    yield terminals
    for terminal in terminals:
        terminal.close()
        if terminal.process.poll() is None:
            terminal.process.kill()
            terminal.process.wait()


def _begin(terminals: list[Terminal], terminal: Terminal) -> Terminal:
    terminals.append(terminal)
    wait_until(lambda: bool(pids(_FOREVER)) or terminal.process.poll() is not None, "the build never came so far")
    assert terminal.process.poll() is None, terminal.output.decode(errors="replace")
    return terminal


def _is_clean(program: Program) -> None:
    program.has_no_leftovers()
    assert not pids(_FOREVER)
    assert set(program.names()) == {"busybox:latest"}


@pytest.mark.parametrize("when", _MOMENTS)
@pytest.mark.parametrize("is_read", [True, False], ids=["read", "unread"])
def test_it_is_closed(
    program: Program, command: list[str | Path], begun: list[Terminal], when: str, is_read: bool
) -> None:
    """The kernel says SIGHUP; what is written afterwards fails, and nothing comes of that."""
    terminal = _begin(begun, Terminal(command, program.environment, is_read=is_read))
    if when == "a step that talks" and not is_read:
        wait_until(terminal.is_full, "somebody reads")
    terminal.close()
    assert terminal.process.wait(60) == 128 + signal.SIGHUP
    _is_clean(program)


@pytest.mark.parametrize("mode", _MODES)
def test_it_is_closed_in_the_middle_of_a_picture(
    program: Program, project: Path, tmp_path: Path, begun: list[Terminal], mode: str
) -> None:
    command = _command(program, project, tmp_path, _MOMENTS["a step that talks"])
    terminal = _begin(begun, Terminal([*command, f"--progress={mode}"], program.environment))
    wait_until(lambda: terminal.output.count(b"line") > 100, "nothing is shown")
    terminal.close()
    assert terminal.process.wait(60) == 128 + signal.SIGHUP
    _is_clean(program)


def test_the_shell_on_it_is_ended(program: Program, project: Path, tmp_path: Path, begun: list[Terminal]) -> None:
    """A command that a shell has started is told when the shell ends, not by the terminal."""
    command = _command(program, project, tmp_path, _MOMENTS["a step"])
    terminal = _begin(begun, Terminal(["sh", "-c", '"$@"; true', "sh", *command], program.environment))
    terminal.close()
    terminal.process.wait(60)
    wait_until(lambda: not pids(_FOREVER), "the step is still there")
    _is_clean(program)


def test_nohup(program: Program, project: Path, tmp_path: Path, begun: list[Terminal]) -> None:
    """One who ignores SIGHUP builds on without a terminal."""

    def ignore() -> None:
        signal.signal(signal.SIGHUP, signal.SIG_IGN)

    (tmp_path / "Dockerfile").write_text(f"FROM busybox\nRUN echo begun; sleep {_SHORT}; yes | head -n 100000\n")
    command: list[str | Path] = [program.command, "assemble", "-t", "kept", tmp_path]
    terminal = Terminal(command, program.environment, prepare=ignore)
    begun.append(terminal)
    wait_until(lambda: bool(pids(_SHORT)), "the step never began")
    terminal.close()
    assert terminal.process.wait(60) == 0
    assert set(program.names()) == {"busybox:latest", "kept:latest"}
    program.succeed("rm", "kept")
    program.has_no_leftovers()


@pytest.mark.parametrize("when", ["a step", "a step that talks", "the middle of a stream"])
def test_control_c_where_nobody_reads(
    program: Program, command: list[str | Path], begun: list[Terminal], when: str
) -> None:
    terminal = _begin(begun, Terminal(command, program.environment, is_read=False))
    if when == "a step that talks":
        wait_until(terminal.is_full, "somebody reads")
    terminal.type(b"\x03")
    assert terminal.process.wait(60) == 128 + signal.SIGINT
    _is_clean(program)


@pytest.mark.parametrize("mode", _MODES)
def test_control_z_and_on(program: Program, project: Path, tmp_path: Path, begun: list[Terminal], mode: str) -> None:
    """The command stops and the step goes on; after ``fg`` the build goes on, and all is as ever."""
    step = f"mkdir /made; sleep {_SHORT}; echo two > /made/two; touch -d @1600000000 /made/* /made"
    (tmp_path / "Dockerfile").write_text(f"FROM busybox\nRUN {step}\nFROM scratch\nCOPY --from=0 /made /\n")
    undisturbed = program.succeed("assemble", "-q", "--no-cache", tmp_path).stdout.decode().strip()
    options = ["--no-cache", f"--iidfile={tmp_path}/id", f"--progress={mode}"]
    command = shlex.join([str(program.command), "assemble", *options, str(tmp_path)])
    terminal = Terminal(["bash", "--norc", "--noprofile", "-i"], program.environment)
    begun.append(terminal)
    terminal.type(f"{command}\n".encode())
    wait_until(lambda: bool(pids(_SHORT)), "the step never began")
    terminal.type(b"\x1a")
    wait_until(lambda: b"Stopped" in terminal.output, "it does not stop")
    wait_until(lambda: not pids(_SHORT), "the step does not go on")
    terminal.type(b"fg; echo ended with $?; exit\n")
    terminal.process.wait(60)
    wait_until(lambda: b"ended with 0" in terminal.output, lambda: terminal.output.decode(errors="replace"))
    assert (tmp_path / "id").read_text() == undisturbed
    program.has_no_leftovers()
