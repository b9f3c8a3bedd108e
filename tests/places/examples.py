"""The folders of ``examples/``, and what their images do."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Final

import msgspec

from support.bases import Base
from support.place import HERE, PROGRAM, SINGLE_ID
from support.serving import answer, free_port

FOLDER: Final = Path(__file__).parents[2] / "examples"
NAMES: Final = sorted(path.parent.name for path in FOLDER.glob("*/Dockerfile"))
_BASES: Final = ("golang", "busybox")

Done = subprocess.CompletedProcess[bytes]


class Example(msgspec.Struct, frozen=True, kw_only=True):
    """How it is built, and what it prints when it is run, which is a pattern; a server answers ``OK`` instead.

    ``first`` is a folder in it, whose image it starts from, and ``emits`` what is at the top of its first context.
    ``has_user``: the image's user is not root.
    """

    verb: str = "build"
    emits: tuple[str, ...] = ("Dockerfile", "hello")
    first: str = ""
    command: tuple[str, ...] = ()
    prints: str = ""
    has_user: bool = False


EXAMPLES: Final = {
    "dynamic": Example(emits=("Dockerfile", "count", "greet"), command=("/bin/greet", "you"), prints=r"Hello, you!\n"),
    "go-hello": Example(),
    "go-multiarch": Example(prints=r"Hello from linux/\w+!\n"),
    "go-onbuild": Example(emits=("Dockerfile", "app"), first="golang-onbuild"),
    "go-scratch": Example(has_user=True),
    "in-publish": Example(verb="assemble", emits=(), prints=r"I run as 1000 and am [0-9a-f]{12}\.\n", has_user=True),
    "nested-build": Example(emits=("app",), command=("/app", "/app"), prints=r"I am 1 of the files here\.\n"),
    "recursive": Example(emits=("bfc", "programs"), prints=r"Hello World!\n"),
}


class Workshop(msgspec.Struct, frozen=True):
    """Builds examples in one store."""

    store: Path
    base: Callable[[str], Base]

    def build(self, name: str, image: Path | None = None) -> Done:
        """Build an example under its name, and save it where asked."""
        example = EXAMPLES[name]
        if example.first:
            self.succeed("assemble", "-t", example.first, FOLDER / name / example.first)
        output = ["-o", f"type=docker,dest={image}"] if image else []
        return self.succeed(example.verb, "-t", name, *output, FOLDER / name)

    def succeed(self, verb: str, *arguments: str | Path, stdin: bytes = b"") -> Done:
        """Run a command that builds; a failure of the test, in the program's own words, unless it succeeds."""
        done = self.run(verb, *arguments, stdin=stdin)
        assert done.returncode == 0, f"exit {done.returncode}\n{done.stderr.decode(errors='replace')[-4000:]}"
        return done

    def run(self, verb: str, *arguments: str | Path, stdin: bytes = b"") -> Done:
        """Run a command that builds."""
        contexts = [f"--build-context={each}=docker-archive:{self.base(each).archive}" for each in _BASES]
        command = [PROGRAM, verb, "--progress=plain", *contexts, *arguments]
        return subprocess.run(command, input=stdin, capture_output=True, env=self._environment(), check=False)

    def try_image(self, name: str) -> None:
        """Run the image; a failure of the test unless it does what it should."""
        example = EXAMPLES[name]
        if not example.prints and not self.lacks_user(name):
            assert self._served(name) == b"OK\n"
            return
        command: list[str | Path] = [PROGRAM, "run", name, *example.command]
        done = subprocess.run(command, capture_output=True, env=self._environment(), check=False)
        said = f"{done.stdout.decode()}{done.stderr.decode()}"
        if self.lacks_user(name):
            assert done.returncode == 125  # as docker run: it could not be started
            assert "which is none that this user's namespace has" in said
            return
        assert done.returncode == 0, said
        assert re.search(example.prints, said), said

    def lacks_user(self, name: str) -> bool:
        """Whether nothing here can be run as the image's user."""
        return HERE == SINGLE_ID and EXAMPLES[name].has_user

    def _served(self, name: str) -> bytes:
        port = free_port()
        with subprocess.Popen([PROGRAM, "run", "-e", f"PORT={port}", name], env=self._environment()) as server:
            try:
                return answer(port)
            finally:
                server.terminate()

    def _environment(self) -> dict[str, str]:
        return {**os.environ, "DOCKERCEPTION_HOME": os.fspath(self.store), "SOURCE_DATE_EPOCH": "1700000000"}
