"""The one runner of child processes."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path

import pytest

from dockerception import process
from dockerception.errors import MachineError
from dockerception.process import ProcessError


def _shell(script: str) -> list[str]:
    return ["sh", "-c", script]


def test_what_a_tool_prints_is_collected() -> None:
    done = process.run(_shell("echo out; echo err >&2"))
    assert (done.returncode, done.stdout, done.stderr) == (0, b"out\n", b"err\n")
    assert done.command == ("sh", "-c", "echo out; echo err >&2")


def test_arguments_are_not_a_shells() -> None:
    assert process.run(["echo", "$HOME; *", "a b"]).stdout == b"$HOME; * a b\n"


def test_stdin_is_closed_unless_given() -> None:
    assert process.run(["cat"]).stdout == b""
    assert process.run(["cat"], stdin=b"given" * 100_000).stdout == b"given" * 100_000


def test_environment_and_directory(tmp_path: Path) -> None:
    done = process.run(["/bin/sh", "-c", "echo $A $HOME; pwd"], environment={"A": "a"}, cwd=str(tmp_path))
    assert done.stdout == f"a\n{tmp_path}\n".encode()


def test_descriptors_are_not_inherited() -> None:
    read_end, write_end = os.pipe()
    os.set_inheritable(write_end, True)
    listed = process.run(["ls", "/proc/self/fd"]).stdout.split()
    assert str(write_end).encode() not in listed
    os.close(read_end)
    os.close(write_end)


def test_a_failure_says_how_it_ended_and_the_last_of_what_it_said() -> None:
    with pytest.raises(ProcessError) as caught:
        process.run(_shell("head -c 10000 /dev/zero | tr '\\0' x >&2; printf '\\nwhy' >&2; exit 3"))
    assert caught.value.message == "“sh” exited with code 3."
    assert caught.value.details.endswith("xxx\nwhy")
    assert len(caught.value.details) <= 4000


def test_a_failure_may_be_asked_for() -> None:
    assert process.run(_shell("exit 3"), check=False).returncode == 3
    assert process.run(_shell("kill -9 $$"), check=False).returncode == -9


@pytest.mark.parametrize(
    ("returncode", "words"),
    [
        (0, "exited with code 0"),
        (2, "exited with code 2"),
        (126, "exited with code 126 (a command can't be executed)"),
        (127, "exited with code 127 (a command was not found)"),
        (137, "exited with code 137"),
        (-signal.SIGKILL, "was ended by SIGKILL"),
        (-signal.SIGTERM, "was ended by SIGTERM"),
        (-99, "was ended by signal 99"),
    ],
)
def test_endings(returncode: int, words: str) -> None:
    assert process.ending(returncode) == words


def test_a_tool_that_takes_too_long_is_killed(tmp_path: Path) -> None:
    pid_file = tmp_path / "pid"
    with pytest.raises(ProcessError, match=r"“sh” took longer than 2 s and was stopped"):
        process.run(_shell(f"echo $$ > {pid_file}; exec sleep 60"), timeout=2)
    with pytest.raises(ProcessLookupError):
        os.kill(int(pid_file.read_text()), 0)


def test_a_grandchild_that_keeps_the_pipe_does_not_prolong_a_timeout(tmp_path: Path) -> None:
    pid_file = tmp_path / "pid"
    with pytest.raises(ProcessError):
        process.run(_shell(f"sleep 60 & echo $! > {pid_file}; wait"), timeout=2)
    os.kill(int(pid_file.read_text()), signal.SIGKILL)  # it is still there, and was not waited for


def test_what_can_not_be_started(tmp_path: Path) -> None:
    plain = tmp_path / "plain"
    plain.write_text("no program")
    for command, reason in (
        (["/nowhere/tool"], "“tool” can't be started: No such file or directory."),
        ([str(plain)], "“plain” can't be started: Permission denied."),
        (["echo", "a\0b"], "“echo” can't be started: an argument or a variable holds a NUL byte."),
    ):
        with pytest.raises(MachineError) as caught:
            process.run(command)
        assert caught.value.message == reason
        with pytest.raises(MachineError) as caught:
            process.start(command)
        assert caught.value.message == reason


def test_a_missing_directory_is_not_a_missing_program() -> None:
    with pytest.raises(MachineError) as caught:
        process.run(["true"], cwd="/nowhere at all")
    assert caught.value.message == (
        "“true” can't be started: its working directory /nowhere at all: No such file or directory."
    )


def test_a_started_child_is_the_callers() -> None:
    child = process.start(["cat"], stdin=subprocess.PIPE)
    assert os.getsid(child.pid) == child.pid
    assert child.communicate(b"data") == (b"data", b"")
    assert child.returncode == 0


def test_descriptors_that_are_passed_arrive() -> None:
    read_end, write_end = os.pipe()
    child = process.start(_shell(f"echo passed > /dev/fd/{write_end}"), pass_fds=(write_end,))
    os.close(write_end)
    with open(read_end, "rb") as pipe:
        assert pipe.read() == b"passed\n"
    child.communicate()
    assert child.returncode == 0


def test_tools_are_found_in_path_and_in_sbin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tool = tmp_path / "some-tool"
    tool.write_text("#!/bin/sh\n")
    tool.chmod(0o755)
    assert process.find("some-tool") is None
    monkeypatch.setenv("PATH", str(tmp_path))
    assert process.find("some-tool") == str(tool)
    assert process.require("some-tool", "package", "for nothing") == str(tool)
    found = process.find("ldconfig")  # in sbin on every Linux with a C library
    assert found is not None
    assert "sbin" in found


def test_a_missing_tool_says_what_to_install_and_what_for() -> None:
    with pytest.raises(MachineError) as caught:
        process.require("no-such-tool", "some-package", "to make tea")
    assert caught.value.message == "The program “no-such-tool” is missing; it is needed to make tea."
    assert "apt-get install some-package" in caught.value.hint
