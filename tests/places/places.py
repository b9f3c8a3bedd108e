"""The places that the program has to work in: root's machine, a user's, one with a single id, a plain container."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

import msgspec

from support.docker import Docker
from support.tools import need
from support.users import python_of_everybody


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """How one run of the program ended."""

    code: int
    stdout: str
    stderr: str

    def succeeded(self) -> Result:
        """Itself; a failure of the test, in the program's own words, unless it succeeded."""
        assert self.code == 0, f"exit {self.code}\n{self.stderr[-4000:]}"
        return self


class Place(Protocol):
    """Somewhere to run the program.  ``kit`` is a folder with the driver, the program and what commands speak of."""

    def run(self, kit: Path, commands: Sequence[Sequence[str]], out: Path) -> list[Result]:
        """Run the commands there, in a store of their own; the images that they write are in ``out`` then."""


class Root(msgspec.Struct, frozen=True):
    """This machine's root."""

    def run(self, kit: Path, commands: Sequence[Sequence[str]], out: Path) -> list[Result]:
        results = _drive([sys.executable, kit / "driver.py", out.parent / "root"], commands)
        (out.parent / "root/images").rename(out)
        return results


class User(msgspec.Struct, frozen=True):
    """A user of this machine."""

    name: str

    def run(self, kit: Path, commands: Sequence[Sequence[str]], out: Path) -> list[Result]:
        own = Path(f"~{self.name}").expanduser() / "out"
        prefix = [need("runuser"), "-u", self.name, "--", python_of_everybody(self.name)]
        results = _drive([*prefix, kit / "driver.py", own], commands)
        shutil.copytree(own / "images", out)
        return results


class PlainContainer(msgspec.Struct, frozen=True):
    """A container as ``docker run`` makes them: no capability added, Docker's own seccomp profile, masked ``/proc``.

    ``volume`` is Docker's copy of the kit.  ``user`` other than 0 has no right at all in there.
    """

    docker: Docker
    image: str
    volume: str
    user: str = "0"

    def run(self, kit: Path, commands: Sequence[Sequence[str]], out: Path) -> list[Result]:
        options = ["--interactive", "--network=host", f"--user={self.user}", f"--volume={self.volume}:/kit:ro"]
        command = ["/usr/bin/python3", "/kit/driver.py", "/tmp/out"]
        container = self.docker.command("create", *options, self.image, *command).stdout.decode().strip()
        try:
            started = self.docker.command("start", "--attach", "--interactive", container, stdin=_encode(commands))
            self.docker.command("cp", "--quiet", f"{container}:/tmp/out/images", out, check=False)
        finally:
            self.docker.command("rm", "--force", container)
        return msgspec.json.decode(started.stdout, type=list[Result])


@contextmanager
def kit_volume(docker: Docker, image: str, kit: Path) -> Iterator[str]:
    """A volume with the kit in it, for :class:`PlainContainer`; gone afterwards."""
    name = docker.command("volume", "create").stdout.decode().strip()
    try:
        container = docker.command("create", f"--volume={name}:/kit", image, "true").stdout.decode().strip()
        docker.command("cp", "--quiet", f"{kit}/.", f"{container}:/kit")
        docker.command("rm", container)
        yield name
    finally:
        docker.command("volume", "rm", name)


def _drive(command: Sequence[str | Path], commands: Sequence[Sequence[str]]) -> list[Result]:
    done = subprocess.run(command, input=_encode(commands), capture_output=True, check=False, cwd="/", env=os.environ)
    assert done.returncode == 0, done.stderr.decode()
    return msgspec.json.decode(done.stdout, type=list[Result])


def _encode(commands: Sequence[Sequence[str]]) -> bytes:
    return json.dumps([list(command) for command in commands]).encode()
