"""Kills at random instants: a command, its helper or its runtime gets SIGKILL, and what is left is looked at.

One round: a build (or a prune) is started, killed somewhere in its course, and waited for.  Then no process, mount or
container of it may be there, the store must be whole, and the next build must give the image that an undisturbed store
gives.  A round is repeatable as far as instants can be: everything else about it comes from its seed.
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import msgspec

from faults.program import Program, wait_until

VICTIMS = ("command", "helper", "runtime")
_SALTS = 3
_RUNTIMES = ("crun", "runc")
_HELPER = "dockerception.sandbox"
_DOCKERFILE = """\
FROM busybox
ARG SALT
WORKDIR /out
COPY . .
RUN echo $SALT > salt; ln salt hard; rm -r many/1; mkdir many/1; for i in $(seq 40); do echo $i > many/1/$i; done
RUN head -c 3000000 /dev/zero > big; chown 1:2 big; touch -d @1600000000 big salt; \\
    printf 'FROM busybox\\nCOPY big salt /\\nCOPY many /many\\n' > Dockerfile; find many -exec touch -d @1600000000 {} +
CMD tar -c -C /out .
"""


class Round(msgspec.Struct, frozen=True, kw_only=True):
    """What was done in a round: who was killed, after what the progress had come to, how the command ended, and after
    how many seconds the last process was gone."""

    seed: int
    work: str
    victim: str
    stage: str
    code: int
    gone_after: float


class Arena:
    """A store to kill in, and one where nothing happens."""

    def __init__(self, folder: Path, base: Path) -> None:
        self._source = folder / "source"
        self._logs = folder / "log"
        self._killed, self._clean = Program(store=folder / "killed"), Program(store=folder / "clean")
        for program in (self._killed, self._clean):
            program.succeed("load", "-i", base)
        write_source(self._source)
        self._images = [self._build(self._clean, salt) for salt in range(_SALTS)]
        started = time.monotonic()
        self._build(self._killed, 0)
        self._seconds = time.monotonic() - started

    def round(self, seed: int) -> Round:
        """One round.  Raises ``AssertionError`` that names the seed and what is wrong afterwards."""
        chance = random.Random(seed)
        salt = chance.randrange(_SALTS)
        work = chance.choice(("build", "build", "build", "build", "prune"))
        process = self._start(work, salt)
        time.sleep(chance.uniform(0, self._seconds))
        victim = _kill(process, chance.choice(VICTIMS))
        process.communicate(timeout=120)
        died = time.monotonic()
        wait_until(lambda: not self._alive(), lambda: f"round {seed}: still there: {self._alive()}")
        gone_after = time.monotonic() - died
        done = Round(
            seed=seed,
            work=work,
            victim=victim,
            stage=work if work == "prune" else stage_of(self._logs.read_bytes()),
            code=process.returncode,
            gone_after=gone_after,
        )
        self._check(done, salt)
        return done

    def _start(self, work: str, salt: int) -> subprocess.Popen[bytes]:
        arguments = (
            ("prune", "--all", "--force")
            if work == "prune"
            else (*self._command(salt), "--no-cache", "--progress=json", "-o", f"type=docker,dest={self._logs}.tar")
        )
        with open(self._logs, "wb") as log:
            return subprocess.Popen(
                [self._killed.command, *arguments],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=log,
                env=self._killed.environment,
                start_new_session=True,
            )

    def _check(self, done: Round, salt: int) -> None:
        whole = self._killed.run("doctor", "--store")
        assert whole.code == 0, f"{done}\n{whole.stdout.decode()}\n{whole.errors}"
        if "busybox:latest" not in self._killed.names():
            raise AssertionError(f"{done}: the name of the base is lost")
        assert self._build(self._killed, salt) == self._images[salt], f"{done}: another image"
        left = [line for line in self._killed.leftovers() if not line.endswith(".log")]
        assert not left, f"{done}: left behind: {left}"

    def _build(self, program: Program, salt: int) -> str:
        return program.succeed(*self._command(salt), "-q").stdout.decode().strip()

    def _command(self, salt: int) -> Sequence[str]:
        return ("build", "-t", f"app:{salt}", "--build-arg", f"SALT={salt}", str(self._source))

    def _alive(self) -> list[str]:
        return [line for line in self._killed.leftovers() if line.startswith(("process", "mount"))]


def table(rounds: Sequence[Round]) -> str:
    """What the rounds came to, as the rows of a table: how often who was killed while what was going on."""
    counts = Counter((each.stage, each.victim) for each in rounds)
    stages = sorted({stage for stage, _ in counts})
    lines = ["| killed while | command | helper | runtime |", "| --- | --- | --- | --- |"]
    lines += [f"| {stage} | {' | '.join(str(counts[stage, victim]) for victim in VICTIMS)} |" for stage in stages]
    return "\n".join(lines)


def write_source(folder: Path) -> None:
    """Make the directory of a builder that copies many files, a large one, and runs two steps."""
    for number in range(10):
        below = folder / "many" / str(number)
        below.mkdir(parents=True)
        for name in range(20):
            (below / str(name)).write_text(f"{number} {name}\n")
    (folder / "large").write_bytes(bytes(4 << 20))
    (folder / "Dockerfile").write_text(_DOCKERFILE)


def _kill(process: subprocess.Popen[bytes], wanted: str) -> str:
    """Kill whom the round wants, or the command where there is none of that kind now; returns who it was."""
    victims = {"command": [process.pid], "helper": [], "runtime": []}
    for pid, name in _descendants(process.pid):
        if _HELPER in name:
            victims["helper"].append(pid)
        elif os.path.basename(name.split("\0")[0]) in _RUNTIMES:
            victims["runtime"].append(pid)
    kind = wanted if victims[wanted] else "command"
    for pid in victims[kind][:1]:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            kind = "command"
            process.kill()
    return kind


def _descendants(pid: int) -> list[tuple[int, str]]:
    """The processes below one, with their command lines."""
    found = []
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        for child in map(int, children):
            found.append((child, os.fsdecode(Path(f"/proc/{child}/cmdline").read_bytes())))
            found += _descendants(child)
    except OSError:
        pass  # it has ended
    return found


def stage_of(log: bytes) -> str:
    """How far a build with ``--progress=json`` had come: what its last step was about."""
    stage = "starting"
    for line in log.splitlines():
        try:
            event = json.loads(line)
        except ValueError:
            break  # cut by the kill
        if event.get("event") == "step-started":
            stage = _kind(str(event["name"]))
    return stage


def _kind(name: str) -> str:
    for word, kind in (("RUN", "RUN"), ("COPY", "COPY"), ("WORKDIR", "COPY"), ("emit", "emit"), ("export", "export")):
        if word in name:
            return kind
    return "other steps"
