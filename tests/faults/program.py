"""The real command on a store that the tests of one process share, and what it must not leave behind."""

from __future__ import annotations

import json
import os
import re
import subprocess
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import msgspec

from support import place

PROGRAM = place.PROGRAM
_DEADLINE_SECONDS = 60.0
_KEPT_VARIABLES = ("PATH", "HOME", "LANG", "PYTHONPATH")


class Done(msgspec.Struct, frozen=True, kw_only=True):
    """How a command ended: its exit code, its stdout, and its stderr as text."""

    code: int
    stdout: bytes
    errors: str

    def has_said(self, pattern: str) -> None:
        """Check that stderr has the pattern (of ``re``, over several lines)."""
        assert re.search(pattern, self.errors), f"nothing matches {pattern!r} in:\n{self.errors}"


class Failure(msgspec.Struct, frozen=True):
    """How a command has to fail: its exit code, the code of the error, and patterns for message, details and hint."""

    exit_code: int
    code: str
    message: str
    hint: str = ""
    details: str = ""

    def check(self, done: Done) -> None:
        """Compare with what a command really did."""
        assert done.code == self.exit_code, f"exit {done.code}\n{done.errors}"
        assert "Traceback" not in done.errors
        shown = (
            done.errors[done.errors.rindex(f"error[{self.code}]: ") :] if f"error[{self.code}]: " in done.errors else ""
        )
        assert shown, f"no error[{self.code}] in:\n{done.errors}"
        message, _, rest = shown.partition("\n")
        assert re.search(self.message, message), f"no {self.message!r} in:\n{shown}"
        details, _, hint = rest.partition("hint: ")
        assert re.search(self.details, details), f"no details {self.details!r} in:\n{shown}"
        assert re.search(self.hint, hint), f"no hint {self.hint!r} in:\n{shown}"


class Program(msgspec.Struct, frozen=True, kw_only=True):
    """The command with a store of its own."""

    store: Path

    @property
    def environment(self) -> dict[str, str]:
        """The environment it runs in: nothing of ours but the store, and a fixed time for equal ids."""
        kept = {name: os.environ[name] for name in _KEPT_VARIABLES if name in os.environ}
        return {**kept, "DOCKERCEPTION_HOME": str(self.store), "SOURCE_DATE_EPOCH": "1700000000"}

    @property
    def command(self) -> Path:
        """The program itself."""
        return PROGRAM

    def run(self, *arguments: str | Path, stdin: bytes = b"", variables: Mapping[str, str] | None = None) -> Done:
        """Run it to its end."""
        done = subprocess.run(
            [PROGRAM, *arguments],
            input=stdin,
            capture_output=True,
            env={**self.environment, **(variables or {})},
            timeout=_DEADLINE_SECONDS * 2,
            check=False,
        )
        return Done(code=done.returncode, stdout=done.stdout, errors=done.stderr.decode(errors="replace"))

    def succeed(self, *arguments: str | Path, stdin: bytes = b"") -> Done:
        """Run it, and fail the test with its own words unless it succeeds."""
        done = self.run(*arguments, stdin=stdin)
        assert done.code == 0, f"exit {done.code}\n{done.errors}"
        return done

    def start(self, *arguments: str | Path, stdin: int = subprocess.DEVNULL) -> subprocess.Popen[bytes]:
        """Start it in a session of its own; the caller ends it and waits for it."""
        return subprocess.Popen(
            [PROGRAM, *arguments],
            stdin=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=self.environment,
            start_new_session=True,
        )

    def names(self) -> dict[str, str]:
        """What is named in the store, and the ids of the images."""
        lines = self.succeed("images", "--no-trunc", "--format", "json").stdout.splitlines()
        images = [json.loads(line) for line in lines]
        return {f"{image['Repository']}:{image['Tag']}": image["ID"] for image in images if image["Tag"] != "<none>"}

    def leftovers(self) -> list[str]:
        """Temporary files, leases, mounts and processes of the store that are there now."""
        files = [str(path) for folder in ("tmp", "leases") for path in sorted((self.store / folder).glob("*"))]
        return [*files, *_mounts(str(self.store)), *_processes(str(self.store))]

    def has_no_leftovers(self) -> None:
        """Check that nothing is left, or is gone very soon: the kernel takes namespaces down on its own time."""
        wait_until(lambda: not self.leftovers(), lambda: f"left behind: {self.leftovers()}")


def fails(
    program: Program, failure: Failure, verb: str, *arguments: str | Path, folder: Path, stdin: bytes = b""
) -> Done:
    """Run ``verb`` with every kind of output asked for, into ``folder``, and check that it fails as it should.

    It must name nothing, write no output, and leave no process, mount or temporary file.
    """
    folder.mkdir()
    wanted: list[str | Path] = []
    if verb == "context":
        wanted = ["--builder-tag=unwanted-builder", "-o", f"type=tar,dest={folder / 'context.tar'}"]
    else:
        wanted = ["-t", "unwanted", "-o", f"type=docker,dest={folder / 'image.tar'}", "--iidfile", folder / "id"]
        wanted += ["--metadata-file", folder / "metadata"]
    done = program.run(verb, "--progress", "plain", *wanted, *arguments, stdin=stdin)
    named = [name for name in program.names() if name.startswith("unwanted")]
    if named:
        program.run("rm", *named)  # so that the next test does not fail for this one
    failure.check(done)
    assert named == []
    assert os.listdir(folder) == []
    program.has_no_leftovers()
    return done


def wait_until(is_true: Callable[[], bool], what: Callable[[], str] | str) -> None:
    """Wait for something; a failure of the test after a generous time."""
    deadline = time.monotonic() + _DEADLINE_SECONDS
    while not is_true():
        assert time.monotonic() < deadline, what if isinstance(what, str) else what()
        time.sleep(0.02)


def pids(word: str) -> list[int]:
    """The processes that have this word as an argument of their own."""
    return [pid for pid, line in _command_lines() if word in line.split("\0")]


def _command_lines() -> list[tuple[int, str]]:
    lines = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            lines.append((int(folder.name), os.fsdecode((folder / "cmdline").read_bytes())))
        except OSError:
            continue  # it has ended
    return lines


def _processes(store: str) -> list[str]:
    """Processes that name the store in their arguments, work in it, or see it in their mounts."""
    found = []
    for pid, line in _command_lines():
        if pid != os.getpid() and (store in line or _is_inside(pid, store)):
            found.append(f"process {pid}: {line!r}")
    return found


def _is_inside(pid: int, store: str) -> bool:
    for link in ("cwd", "root"):
        try:
            if os.readlink(f"/proc/{pid}/{link}").startswith(store):
                return True
        except OSError:
            continue
    return bool(_mounts(store, f"/proc/{pid}/mountinfo"))


def _mounts(store: str, table: str = "/proc/self/mountinfo") -> list[str]:
    try:
        with open(table, errors="surrogateescape") as file:
            return [f"mount: {line.strip()}" for line in file if store in line]
    except OSError:
        return []
