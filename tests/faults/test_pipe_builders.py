"""The fault table of the pipe, rows 1, 4, 10, 11, 12, 14 and 15: builders that end badly, hang, or are none."""

from __future__ import annotations

import json
import os
import pty
import shlex
import signal
import subprocess
import threading
from pathlib import Path

import msgspec
import pytest

from faults.program import PROGRAM, Failure, Program, fails, pids, wait_until
from support.place import CONTAINER, HERE

pytestmark = pytest.mark.root

_GOOD = "cat /streams/good"
_FORMAT = "" if HERE == CONTAINER else "Exec format error"
"""What a runtime prints; without one we are who finds it out, and it is in the message."""


class _Builder(msgspec.Struct, frozen=True):
    """What a builder's shell does, or the exec form of its CMD, and how the build must fail."""

    command: str | list[str]
    failure: Failure
    options: tuple[str, ...] = ()
    instructions: str = ""


def _failed(message: str, hint: str = "", details: str = "") -> Failure:
    return Failure(1, "builder-failed", message, hint, details)


_BUILDERS = {
    "4: exit 3 after a good stream": _Builder(
        f"{_GOOD}; echo 'make: *** [app] Error 1' >&2; exit 3",
        _failed(r"The builder “sh -c .*” exited with code 3\.", "is not used", r"make: \*\*\* \[app\] Error 1"),
    ),
    "4: exit 1 before anything": _Builder(
        "echo no compiler >&2; exit 1", _failed("exited with code 1", "", "no compiler")
    ),
    "4: exit 1 and a broken stream": _Builder(
        "cat /streams/cut; exit 1", _failed("exited with code 1", "", "is truncated: it ends at byte 100000")
    ),
    "4: killed after a good stream": _Builder(
        f"{_GOOD}; sh -c 'kill -9 $$'; exit $?", _failed("was ended by SIGKILL", "is not used")
    ),
    "4: terminated in the middle": _Builder(
        "cat /streams/cut; sh -c 'kill -TERM $$'; exit $?", _failed("was ended by SIGTERM", "", "is truncated")
    ),
    "10: over --max-context": _Builder(
        _GOOD,
        Failure(4, "stream", "holds more than 100000 bytes of files", "--max-context"),
        ("--max-context", "100000b"),
    ),
    "10: a stream without an end, over --max-context": _Builder(
        # A header that claims 8 GiB, and contents for as long as anybody reads them.
        "cat /streams/endless; yes",
        Failure(4, "stream", "holds more than 1000000 bytes of files", "--max-context"),
        ("--max-context", "1000000b"),
    ),
    "14: nothing at all": _Builder(
        "true", Failure(4, "stream", "is empty: the builder wrote nothing to stdout", "dockerception assemble")
    ),
    "14: a server that says so": _Builder(
        "echo 'Listening on :8001'; sleep 600",
        Failure(4, "stream", "found the text “Listening on :8001”", "dockerception assemble"),
        instructions="EXPOSE 8001",
    ),
    "14: a silent server": _Builder(
        "exec sleep 600",
        Failure(4, "emit-timeout", "silent for 1 s and has not emitted a context", "dockerception assemble"),
        ("--emit-timeout", "1s"),
        "EXPOSE 8001",
    ),
    "14: a server that logs to stderr": _Builder(
        "echo 'Listening on :8001' >&2; exec sleep 600",
        Failure(4, "emit-timeout", "silent for 1 s", "dockerception assemble", "Listening on :8001"),
        ("--emit-timeout", "1s"),
        "HEALTHCHECK CMD true",
    ),
    "14: a builder that hangs at the start": _Builder(
        "exec sleep 600",
        Failure(4, "emit-timeout", "silent for 1 s", "raise --emit-timeout"),
        ("--emit-timeout", "1s"),
    ),
    "14: a builder that hangs in the middle": _Builder(
        "cat /streams/cut; exec sleep 600",
        Failure(4, "emit-timeout", "silent for 1 s after 100000 bytes of context", "raise --emit-timeout"),
        ("--emit-timeout", "1s"),
    ),
    "14: a builder that hangs at the end": _Builder(
        f"{_GOOD}; exec sleep 600",
        Failure(4, "emit-timeout", "silent for 1 s after 202752 bytes of context"),
        ("--emit-timeout", "1s"),
    ),
    "14: a builder that closes stdout and goes on": _Builder(
        f"{_GOOD}; exec >&-; exec sleep 600",
        Failure(4, "emit-timeout", "silent for 1 s after 202752 bytes of context"),
        ("--emit-timeout", "1s"),
    ),
    "15: no tar": _Builder(
        "nosuchtar -cC /out .",
        _failed("exited with code 127", "was not found; does the builder image have a shell and tar", "nosuchtar"),
    ),
    "15: not executable": _Builder("/out/app", _failed("exited with code 126", "", "Permission denied")),
    "15: no shell": _Builder(
        ["/bin/nosuchshell", "-c", "tar -c ."],
        _failed("could not be started: “/bin/nosuchshell” is not found", "ENTRYPOINT and CMD"),
    ),
    "15: no program": _Builder(["nosuch"], _failed(r"could not be started: “nosuch” is not found in \$PATH")),
    "15: no permission": _Builder(["/out/app"], _failed("“/out/app” can't be executed: permission")),
    "15: no interpreter": _Builder(
        ["/scripts/lost"], _failed("could not be started: “/scripts/lost” needs “/bin/nosuchshell” to run")
    ),
    "15: a wrong format": _Builder(
        ["/scripts/noise"], _failed("“/scripts/noise”", "another architecture", _FORMAT)
    ),
    "15: no such directory": _Builder(
        ["./tool"], _failed("could not be started: “./tool” is not found"), instructions="WORKDIR /new"
    ),
    "15: an unknown user": _Builder(
        _GOOD, Failure(5, "image", "nosuchuser"), instructions="USER nosuchuser"
    ),
    "15: nothing to run": _Builder([], _failed("has nothing to run: its image has neither", "after “--”")),
}  # fmt: skip


@pytest.fixture(scope="module")
def builders(project: Path) -> Path:
    """The project, with programs that can't be started."""
    (project / "scripts").mkdir()
    (project / "scripts" / "lost").write_text("#!/bin/nosuchshell\n")
    (project / "scripts" / "noise").write_bytes(b"\0noise\0")
    for script in ("lost", "noise"):
        (project / "scripts" / script).chmod(0o755)
    return project


@pytest.mark.parametrize("case", _BUILDERS)
def test_failing_builders(program: Program, builders: Path, tmp_path: Path, case: str) -> None:
    builder = _BUILDERS[case]
    dockerfile = _dockerfile(tmp_path, builder.command, builder.instructions)
    command = ("-f", str(dockerfile), *builder.options, str(builders))
    fails(program, builder.failure, "build", *command, folder=tmp_path / "outputs")


def test_a_builder_that_is_killed_from_outside(program: Program, builders: Path, tmp_path: Path) -> None:
    """4: as the kernel does where memory runs out; a whole stream has arrived before."""
    duration = f"{os.getpid()}.55"

    def kill() -> None:
        wait_until(lambda: bool(pids(duration)), "the builder never came so far")
        for pid in pids(duration):
            os.kill(pid, signal.SIGKILL)

    killer = threading.Thread(target=kill)
    killer.start()
    command = (builders, "--", "sh", "-c", f"{_GOOD}; exec sleep {duration}")
    fails(program, _failed("was ended by SIGKILL", "is not used"), "build", *command, folder=tmp_path / "outputs")
    killer.join()


def test_what_follows_the_dashes_fails_in_the_same_way(program: Program, builders: Path, tmp_path: Path) -> None:
    failure = _failed("exited with code 3", "is not used")
    for verb in ("build", "context"):
        command = (builders, "--", "sh", "-c", f"{_GOOD}; exit 3")
        fails(program, failure, verb, *command, folder=tmp_path / verb)


def test_the_builder_gets_no_terminal(program: Program, builders: Path, tmp_path: Path) -> None:
    """1: though the command itself has one; stdin is empty, stdout a pipe of its own."""
    script = (
        "for fd in 0 1 2; do test -t $fd && exit 9; done; read line && exit 8;"
        " readlink /proc/self/fd/1 >&2 || echo no /proc >&2; tar -cC /out ."
    )
    target = tmp_path / "files.tar"
    command: list[str | Path] = [PROGRAM, "build", "--progress", "plain", "-o", f"type=tar,dest={target}", builders]
    terminal, inner = pty.openpty()
    with subprocess.Popen(
        [*command, "--", "sh", "-c", script],
        stdin=inner,
        stdout=inner,
        stderr=inner,
        env={**program.environment, "TERM": "xterm"},
        start_new_session=True,
    ) as process:
        os.close(inner)
        shown = _read_all(terminal)
        assert process.wait() == 0, shown.decode()
    assert (b"no /proc" if HERE == CONTAINER else b"pipe:[") in shown
    assert target.exists()
    program.has_no_leftovers()


@pytest.mark.parametrize("stream", ["good", "good.gz"])
def test_a_stream_through_a_terminal_is_recognised(
    program: Program, builders: Path, tmp_path: Path, stream: str
) -> None:
    """1: what ``docker run -t builder | dockerception assemble -`` reads."""
    pid, terminal = pty.fork()
    if pid == 0:
        os.execvp("cat", ["cat", str(builders / "streams" / stream)])
    stdin = _read_all(terminal)
    os.waitpid(pid, 0)
    failure = Failure(4, "stream", "The context on standard input", "came through a terminal")
    fails(program, failure, "assemble", "-", folder=tmp_path / "outputs", stdin=stdin)


def test_an_emitted_context_is_cached_only_if_its_builder_did_well(
    program: Program, builders: Path, tmp_path: Path
) -> None:
    """11, and 4: the builder runs again when it is told to, and after it has failed."""
    mark = tmp_path.name
    command = ("--progress", "plain", builders, "--", "sh", "-c", f"echo ran {mark} >&2; {_GOOD}")
    runs = [
        program.succeed("build", *command),
        program.succeed("build", *command),
        program.succeed("build", "--no-cache-filter", "emit", *command),
        program.succeed("build", "--no-cache", *command),
        program.succeed("build", *command),
    ]
    assert [f"ran {mark}\n" in done.errors for done in runs] == [True, False, True, True, False]
    assert ["Everything was cached" in done.errors for done in runs] == [False, True, False, False, True]
    for _ in range(2):
        done = program.run("build", *command[:-1], f"echo ran {mark} >&2; {_GOOD}; exit 5")
        assert (done.code, f"ran {mark}\n" in done.errors) == (1, True)


def test_builds_at_the_same_time_do_not_disturb_each_other(program: Program, builders: Path) -> None:
    """12: four of them, one name; no tag for the builder, and nothing left of it."""
    command = (builders, "--", "sh", "-c", f"sleep 1; {_GOOD}")
    started = [program.start("build", "-t", "together", *command) for _ in range(4)]
    for process in started:
        _, errors = process.communicate(timeout=120)
        assert process.returncode == 0, errors.decode()
    program.has_no_leftovers()
    names = set(program.names())
    program.succeed("rm", "together")
    assert names == {"busybox:latest", "together:latest"}


def test_builders_are_named_on_request(program: Program, builders: Path) -> None:
    """12: only then; and not when the build fails later on."""
    options = ("--builder-tag", "-t", "app:1")
    bad = program.run("build", *options, builders, "--", "cat", "/streams/no-dockerfile")
    assert bad.code == 4
    assert set(program.names()) == {"busybox:latest"}
    program.succeed("build", *options, builders)
    names = set(program.names())
    program.succeed("rm", "app:1", "app-builder:1")
    assert names == {"busybox:latest", "app:1", "app-builder:1"}


def test_a_silent_builder_is_waited_for_and_said_so(program: Program, builders: Path, tmp_path: Path) -> None:
    """14: progress says that it waits, from five seconds on."""
    options = ("-f", _dockerfile(tmp_path, "exec sleep 600"), "--emit-timeout", "6s")
    failure = Failure(4, "emit-timeout", "silent for 6 s and has not emitted a context")
    done = fails(program, failure, "build", *options, builders, folder=tmp_path / "outputs")
    done.has_said("waiting for a context")


def test_what_a_builder_says_keeps_it_alive(program: Program, builders: Path) -> None:
    """14: the timeout is for silence, not for the whole run."""
    script = f"for i in 1 2 3 4 5 6 7 8 9 10; do echo $i >&2; sleep 0.3; done; {_GOOD}"
    program.succeed("build", "--emit-timeout", "2s", builders, "--", "sh", "-c", script)


def test_a_builder_that_leaves_processes_behind(program: Program, builders: Path) -> None:
    """12: they end with the container, though they hold stdout open."""
    duration = f"{os.getpid()}.77"
    script = f"sleep {duration} & setsid sleep {duration} & {_GOOD}"
    program.succeed("build", builders, "--", "sh", "-c", script)
    wait_until(lambda: not pids(duration), "the builder's children are still there")
    program.has_no_leftovers()


@pytest.mark.parametrize("verb", ["context", "build"])
def test_stdout_that_is_closed_early(program: Program, builders: Path, verb: str) -> None:
    """``dockerception context . | head -c 10``: the command ends, quietly, and so does everything else."""
    output = "" if verb == "context" else "-o -"
    line = f"{shlex.quote(str(PROGRAM))} {verb} --progress quiet {output} {shlex.quote(str(builders))}"
    script = f"{line}; echo $? >&2"
    with subprocess.Popen(
        ["sh", "-c", f"({script}) | head -c 10"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=program.environment,
    ) as process:
        too_late = threading.Timer(120, process.send_signal, [signal.SIGKILL])
        too_late.start()
        stdout, errors = process.communicate()
        too_late.cancel()
    assert len(stdout) == 10
    assert errors.decode() == "141\n"
    program.has_no_leftovers()


def _dockerfile(folder: Path, command: str | list[str], instructions: str = "") -> Path:
    """A builder's Dockerfile; a string is a script for the shell."""
    words = ["sh", "-c", command] if isinstance(command, str) else command
    path = folder / "Dockerfile"
    path.write_text(f"FROM busybox\nCOPY . /\n{instructions}\nCMD {json.dumps(words)}\n")
    return path


def _read_all(terminal: int) -> bytes:
    """Everything that is written to a terminal until nobody has it open; closes it."""
    data = b""
    try:
        while chunk := os.read(terminal, 1 << 16):
            data += chunk
    except OSError:
        pass  # how a terminal says that nobody has it open any more
    os.close(terminal)
    return data
