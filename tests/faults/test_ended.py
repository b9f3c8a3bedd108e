"""Builds that are ended from outside, at any point: the exit code, and that nothing is left and nothing is damaged."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from faults import material
from faults.program import Program, pids, wait_until
from support.bases import Base
from support.tools import need_root

pytestmark = pytest.mark.root

_FOREVER = f"86400.{os.getpid()}"
_SHORT = f"1.3{os.getpid()}"
_LARGE = 3 << 28
_LARGE_NAME = "large.tar"
_HAS_BEGUN = 16 << 20


class _Moment(msgspec.Struct, frozen=True):
    """A build that takes for ever.

    With a Dockerfile its context is a directory with a large file; else the builder is the project's, and ``script`` is
    what it does.  ``has_come`` sees that the build has come to its moment.
    """

    verb: str
    dockerfile: str = ""
    script: str = ""
    options: tuple[str, ...] = ()
    has_come: Callable[[Program, int], bool] = lambda program, pid: bool(pids(_FOREVER))


def _step(*lines: str) -> _Moment:
    return _Moment("assemble", "\n".join(("FROM busybox", *lines, "")))


def _reads_large_file(program: Program, pid: int) -> bool:
    """Whether a process has the large file open."""
    links = (os.path.join(f"/proc/{pid}/fd", name) for name in os.listdir(f"/proc/{pid}/fd"))
    return any(os.path.lexists(link) and os.readlink(link).endswith(_LARGE_NAME) for link in links)


def _has_begun_to_write(program: Program, pid: int) -> bool:
    return _unfinished(program) > _HAS_BEGUN


_SLEEP = f"sleep {_FOREVER}"
_MOMENTS = {
    "a step": _step(f"RUN {_SLEEP}"),
    "a step that ignores signals": _step(f"RUN trap '' INT TERM HUP; setsid {_SLEEP} & {_SLEEP}; {_SLEEP}"),
    "steps side by side": _Moment(
        "assemble",
        f"FROM busybox AS a\nRUN {_SLEEP}\nFROM busybox AS b\nRUN true; {_SLEEP}\n"
        "FROM scratch\nCOPY --from=a /x /\nCOPY --from=b /x /\n",
        has_come=lambda program, pid: len(pids(_FOREVER)) >= 2,
    ),
    "a silent builder": _Moment("build", script=_SLEEP),
    "a builder in the middle of its stream": _Moment("build", script=f"cat /streams/cut; {_SLEEP}"),
    "a builder at the end of its stream": _Moment("build", script=f"cat /streams/good; {_SLEEP}"),
    "a builder that writes without an end": _Moment(
        "context", script="cat /streams/endless; yes", options=("-o", "out"), has_come=_has_begun_to_write
    ),
    "an import": _Moment(
        "assemble",
        "FROM base\nCOPY Dockerfile /\n",
        options=("--build-context", "base=rootfs:large.tar"),
        has_come=_has_begun_to_write,
    ),
    "a look at a large file": _Moment("assemble", "FROM scratch\nCOPY large.tar /\n", has_come=_reads_large_file),
}
_ALL_SIGNALS = (
    "a step that ignores signals",
    "steps side by side",
    "a builder in the middle of its stream",
    "an import",
)
_SIGNALS = {"INT": (signal.SIGINT, 1, 130), "INT twice": (signal.SIGINT, 2, 130), "TERM": (signal.SIGTERM, 1, 143)}


def _unfinished(program: Program) -> int:
    """How many bytes of unfinished files there are."""
    total = 0
    for folder, _, names in os.walk(program.store / "tmp"):
        for name in names:
            try:
                total += os.lstat(os.path.join(folder, name)).st_size
            except FileNotFoundError:
                continue
    return total


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory with an archive that takes long to read, and no room on the disk."""
    monkeypatch.chdir(tmp_path)
    with (tmp_path / _LARGE_NAME).open("wb") as file:
        file.write(material.claim("zeros", _LARGE))
        file.truncate(512 + _LARGE + 1024)
    return tmp_path


@pytest.mark.parametrize(
    ("moment", "kind"),
    [
        *((moment, "INT") for moment in _MOMENTS),
        *((moment, kind) for moment in _ALL_SIGNALS for kind in ("INT twice", "TERM")),
    ],
)
def test_signals(program: Program, project: Path, place: Path, moment: str, kind: str) -> None:
    number, times, code = _SIGNALS[kind]
    process = _begin(program, project, place, _MOMENTS[moment])
    for _ in range(times):
        os.killpg(process.pid, number)  # as a terminal does
        time.sleep(0.05)
    _, errors = process.communicate(timeout=60)
    names = program.names()
    program.run("rm", *(name for name in names if name.startswith("unwanted")))
    assert process.returncode == code, errors.decode()
    assert errors.decode().endswith(f"dockerception: ended by {signal.Signals(number).name}\n")
    assert "Traceback" not in errors.decode()
    program.has_no_leftovers()
    assert not pids(_FOREVER)
    assert set(names) == {"busybox:latest"}
    assert {path.name for path in place.iterdir()} <= {"Dockerfile", _LARGE_NAME}


def test_a_signal_while_a_context_arrives(program: Program, project: Path) -> None:
    read_end, write_end = os.pipe()
    os.write(write_end, (project / "streams" / "endless").read_bytes())
    process = program.start("assemble", "-t", "unwanted", "-", stdin=read_end)
    os.close(read_end)
    wait_until(lambda: bool(program.leftovers()), "nothing is being received")
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)
    os.close(write_end)
    assert process.returncode == 130
    program.has_no_leftovers()


def test_the_third_signal_ends_at_once(program: Program, project: Path, place: Path) -> None:
    """What is left then is gone with the kernel's help, and the rest with the next command."""
    process = _begin(program, project, place, _MOMENTS["a step"])
    assert any(line.startswith("process") for line in program.leftovers()), "the check for leftovers sees nothing"
    for _ in range(3):
        process.send_signal(signal.SIGINT)
        time.sleep(0.01)
    process.communicate(timeout=60)
    assert process.returncode == 130
    wait_until(lambda: not pids(_FOREVER), "the step is still there")
    program.succeed("images")
    program.has_no_leftovers()


_KILLED = {
    "a step": (
        f"FROM busybox\nRUN seq 500 | while read i; do echo > /$i; done; sleep {_SHORT}; rm /1*; ln /bin/sh /s\n"
        'CMD ["tar", "-cC", "/out", "."]\nCOPY out /out\n'
    ),
    "a builder": (
        "FROM busybox\nCOPY . /\n"
        f'CMD ["sh", "-c", "head -c 90000 /streams/good; sleep {_SHORT}; tail -c +90001 /streams/good"]\n'
    ),
}


@pytest.mark.parametrize("where", _KILLED)
def test_kill_9(project: Path, tmp_path: Path, base: Callable[[str], Base], where: str) -> None:
    """Five times, ever later; then the same image as in a store where nothing has happened."""
    need_root()
    dockerfile = tmp_path / "Dockerfile"
    dockerfile.write_text(_KILLED[where])
    command = ("build", "-q", "-f", dockerfile, project)
    killed, clean = Program(store=tmp_path / "killed"), Program(store=tmp_path / "clean")
    for program in (killed, clean):
        program.succeed("load", "-i", base("busybox").archive)
    for attempt in range(5):
        process = killed.start(*command)
        wait_until(lambda: bool(pids(_SHORT)), "the process never came so far")
        time.sleep(0.1 * attempt)
        process.kill()
        process.communicate(timeout=60)
        wait_until(lambda: not pids(_SHORT), "it is still running")
        wait_until(lambda: not _alive(killed), lambda: f"still there: {killed.leftovers()}")
    image = killed.succeed(*command).stdout
    killed.has_no_leftovers()
    assert clean.succeed(*command).stdout == image


def test_kill_9_of_everything_at_once(program: Program, project: Path, place: Path) -> None:
    """As when a machine's container is stopped: all processes of the session, in any order."""
    process = _begin(program, project, place, _MOMENTS["a builder in the middle of its stream"])
    inner = [int(line.split()[1].rstrip(":")) for line in program.leftovers() if line.startswith("process")]
    for pid in (*inner, process.pid):
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue
    process.communicate(timeout=60)
    wait_until(lambda: not _alive(program), lambda: f"still there: {program.leftovers()}")
    program.succeed("build", project)
    program.has_no_leftovers()


def test_the_helper_is_killed(program: Program, project: Path, place: Path) -> None:
    """The command says so, and cleans up."""
    process = _begin(program, project, place, _MOMENTS["a step"])
    for line in program.leftovers():
        if line.startswith("process") and "sandbox.helper" in line:
            os.kill(int(line.split()[1].rstrip(":")), signal.SIGKILL)
            break
    _, errors = process.communicate(timeout=60)
    assert (process.returncode, "Traceback" in errors.decode()) == (7, False), errors.decode()
    assert "error[machine]: " in errors.decode()
    program.has_no_leftovers()


def _alive(program: Program) -> list[str]:
    """Processes and mounts of the store."""
    return [line for line in program.leftovers() if line.startswith(("process", "mount"))]


def _begin(program: Program, project: Path, place: Path, moment: _Moment) -> subprocess.Popen[bytes]:
    """Start a build and wait until it has come to its moment."""
    (place / "Dockerfile").write_text(moment.dockerfile)
    source = [str(place)] if moment.dockerfile else [str(project), "--", "sh", "-c", moment.script]
    tags = () if moment.verb == "context" else ("-t", "unwanted")
    process = program.start(moment.verb, "--progress", "plain", *tags, *moment.options, *source)
    wait_until(
        lambda: process.poll() is not None or moment.has_come(program, process.pid), "the build never came so far"
    )
    assert process.poll() is None, process.communicate()[1].decode()
    return process
