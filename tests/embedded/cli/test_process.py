"""The program as a process: exit codes, stdout, and what signals leave behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from embedded.cli.conftest import PROGRAM, Start

pytestmark = pytest.mark.root


def wait_until(is_true: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + 30
    while not is_true():
        assert time.monotonic() < deadline, what
        time.sleep(0.02)


def processes_with(word: str) -> list[str]:
    """The command lines of processes that have this word as an argument of their own."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            arguments = (folder / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        if word.encode() in arguments:
            found.append(" ".join(os.fsdecode(each) for each in arguments))
    return found


def is_store_clean(environment: Mapping[str, str]) -> bool:
    root = Path(environment["DOCKERCEPTION_HOME"])
    return not any((root / "tmp").iterdir()) and not any((root / "leases").iterdir())


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_a_signal_ends_a_build_and_leaves_nothing(
    start: Start, project: Path, environment: Mapping[str, str], number: int, code: int
) -> None:
    duration = f"3{number}1.5"
    (project / "slow").write_text(
        f'FROM scratch\nCOPY busybox /bin/busybox\nRUN ["/bin/busybox", "sleep", "{duration}"]\n'
    )
    process = start("build", "--progress", "plain", "-f", str(project / "slow"), str(project))
    wait_until(lambda: bool(processes_with(duration)), "the step never started")
    process.send_signal(number)
    _, errors = process.communicate(timeout=30)
    assert process.returncode == code
    assert errors.decode().endswith(f"dockerception: ended by {signal.Signals(number).name}\n")
    wait_until(lambda: not processes_with(duration), "the step is still there")
    assert is_store_clean(environment)
    assert environment["DOCKERCEPTION_HOME"] not in Path("/proc/mounts").read_text()


@pytest.mark.parametrize(
    "line",
    [
        "version",
        "--help",
        "images",
        "inspect builder",
        "save builder",
        "context --progress quiet DIRECTORY",
        "build --progress quiet -o - DIRECTORY",
        "build --progress quiet -o type=oci DIRECTORY",
    ],
)
def test_closed_stdout_ends_quietly(environment: Mapping[str, str], builder: str, project: Path, line: str) -> None:
    read_end, write_end = os.pipe()
    os.close(read_end)
    with open(write_end, "wb") as closed:
        done = subprocess.run(
            [PROGRAM, *line.replace("DIRECTORY", str(project)).split()],
            stdin=subprocess.DEVNULL,
            stdout=closed,
            stderr=subprocess.PIPE,
            env=dict(environment),
            check=False,
        )
    assert (done.returncode, done.stderr) == (141, b"")


@pytest.mark.parametrize("line", ["version", "images", "save builder", "context --progress quiet DIRECTORY"])
def test_full_stdout_is_an_error(environment: Mapping[str, str], builder: str, project: Path, line: str) -> None:
    with open("/dev/full", "wb") as full:
        done = subprocess.run(
            [PROGRAM, *line.replace("DIRECTORY", str(project)).split()],
            stdin=subprocess.DEVNULL,
            stdout=full,
            stderr=subprocess.PIPE,
            env=dict(environment),
            check=False,
        )
    assert done.returncode == 6
    assert b"can't be written to stdout: No space left on device" in done.stderr


def test_standard_descriptors_may_be_missing(environment: Mapping[str, str]) -> None:
    done = subprocess.run(
        ["sh", "-c", '"$1" images <&- >&- 2>&-', "sh", PROGRAM], env=dict(environment), capture_output=True, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")


def test_a_closed_stdin_is_an_empty_context(environment: Mapping[str, str]) -> None:
    done = subprocess.run(
        ["sh", "-c", '"$1" assemble - <&-', "sh", PROGRAM], env=dict(environment), capture_output=True, check=False
    )
    assert done.returncode == 4
    assert b"The context on standard input is empty" in done.stderr


def test_version_loads_only_what_it_needs() -> None:
    script = "import sys; from dockerception.cli import main; main.run(['version']); print(*sorted(sys.modules))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    loaded = set(done.stdout.splitlines()[1].split())
    heavy = {"rich", "urllib3", "docker", "dataclasses", "asyncio", "logging", "sqlite3", "msgspec", "subprocess"}
    assert loaded & heavy == set()


def test_a_cached_build_loads_only_what_it_needs(builder: str, project: Path, environment: Mapping[str, str]) -> None:
    script = "import sys; from dockerception.cli import main; main.run(sys.argv[1:]); print(*sorted(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", script, "build", "-q", str(project)],
        capture_output=True,
        text=True,
        env=dict(environment),
        check=True,
    )
    identifier, loaded = done.stdout.splitlines()
    assert identifier.startswith("sha256:")
    heavy = {"rich", "urllib3", "requests", "docker", "dataclasses", "asyncio", "logging"}
    heavy |= {"json", "shutil", "random", "traceback", "_strptime"}
    heavy |= {"dockerception.sandbox.client", "dockerception.library.space", "dockerception.store.verify"}
    heavy |= {"dockerception.store.prune", "dockerception.engines.embedded.changes"}
    assert set(loaded.split()) & heavy == set()
