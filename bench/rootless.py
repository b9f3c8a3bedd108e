"""An ordinary user against root, in turns: each folder of examples/ built from nothing, with one line changed, cached.

From nothing means without the build cache, in a store that has the bases and what the compiler keeps in its cache
mount, so that less of the time is the compiler's.  Needs root; the user is a new one with subordinate ids.
"""

from __future__ import annotations

import os
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from _measure import scratch

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests"))

from support import bases  # noqa: E402  from the path set above
from support.users import copy_program, new_user, python_of_everybody  # noqa: E402

MAIN = "from dockerception.cli.main import main; main()"
VERBS = {"in-publish": "assemble"}
FIRST = {"go-onbuild": "golang-onbuild"}
KINDS = {"from nothing": 5, "one line changed": 9, "nothing changed": 15}


class Builder:
    """Builds as one user, in a store and in copies of the examples of its own."""

    def __init__(self, folder: Path, python: str, user: str) -> None:
        self._folder, self._python, self._user = folder / user, python, user
        shutil.copytree(ROOT / "examples", self._folder / "examples")
        subprocess.run(["chown", "-R", f"{user}:", self._folder], check=True)
        self._environment = {
            "PATH": os.environ["PATH"],
            "HOME": os.path.expanduser(f"~{user}"),
            "PYTHONPATH": str(folder / "program"),
            "DOCKERCEPTION_HOME": str(self._folder / "store"),
        }
        self._bases = [
            f"--build-context={base.name}=docker-archive:{folder / base.name}.tar"
            for base in (bases.golang(), bases.busybox())
        ]

    def prepare(self, name: str) -> None:
        """Bring the bases, and fill the compiler's cache."""
        if name in FIRST:
            self._run("assemble", FIRST[name], self._folder / "examples" / name / FIRST[name])
        self.build(name)

    def build(self, name: str, *options: str) -> float:
        """Build an example; returns how long the whole process took, in seconds."""
        return self._run(VERBS.get(name, "build"), name, self._folder / "examples" / name, *options)

    def change(self, name: str, number: int) -> None:
        """Change a line of its program."""
        source = sorted((self._folder / "examples" / name).rglob("main.go"))[0]
        text = source.read_text().partition("\nconst benchmark")[0]
        source.write_text(f"{text}\nconst benchmark = {number}\n")

    def _run(self, verb: str, tag: str, context: Path, *options: str) -> float:
        command = [self._python, "-c", MAIN, verb, "-q", "-t", tag, *self._bases, *options, str(context)]
        started = time.perf_counter()
        done = subprocess.run(
            command, user=self._user, group=self._user, extra_groups=[], env=self._environment, cwd="/",
            stdin=subprocess.DEVNULL, capture_output=True, check=False,
        )  # fmt: skip
        wall = time.perf_counter() - started
        if done.returncode != 0:
            sys.exit(f"{self._user}: {' '.join(command)} failed:\n{done.stderr.decode()[-3000:]}")
        return wall


@contextmanager
def builders() -> Iterator[tuple[Builder, Builder]]:
    """Root and a user, with the same Python and the same program."""
    with scratch() as (folder, _), new_user(f"bench-{os.getpid()}") as user:
        folder.chmod(0o755)
        copy_program(folder / "program")
        for base in (bases.golang(), bases.busybox()):
            shutil.copy(base.archive, folder / f"{base.name}.tar")
        python = python_of_everybody(user)
        yield Builder(folder, python, "root"), Builder(folder, python, user)


def once(builder: Builder, kind: str, name: str, number: int) -> float:
    """One measured build."""
    if kind == "one line changed":
        builder.change(name, number)
    return builder.build(name, *(["--no-cache"] if kind == "from nothing" else []))


def main(names: list[str]) -> None:
    """Measure all examples, or those that are named; each pair is one build of either, whose ratio counts."""
    examples = names or sorted(path.parent.name for path in (ROOT / "examples").glob("*/Dockerfile"))
    print("| example | " + " | ".join(KINDS) + " |\n| --- |" + " --- |" * len(KINDS))
    with builders() as pair:
        for name in examples:
            cells = []
            for builder in pair:
                builder.prepare(name)
            for kind, rounds in KINDS.items():
                walls = [[once(builder, kind, name, number) for builder in pair] for number in range(rounds)]
                ratio = statistics.median(user / root for root, user in walls)
                root, user = (statistics.median(each) for each in zip(*walls, strict=True))
                cells.append(f"{ratio:.2f} ({root:.3f} s, {user:.3f} s)")
            print(f"| {name} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
