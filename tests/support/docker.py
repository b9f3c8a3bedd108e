"""A client of a Docker daemon for tests: the real command line, with typed results."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

Completed = subprocess.CompletedProcess[bytes]


class DockerFailed(AssertionError):
    """A command of Docker failed; the message has the end of what it printed."""


class Docker(msgspec.Struct, frozen=True, kw_only=True):
    """The ``docker`` program, the socket of the daemon that it talks to, and its configuration folder."""

    program: Path
    socket: Path
    config: Path

    def command(self, *arguments: str | Path, stdin: bytes = b"", check: bool = True) -> Completed:
        """Run ``docker ARGUMENTS…``; raises ``DockerFailed`` when it fails, unless ``check`` is false."""
        with tempfile.TemporaryDirectory() as scratch:
            environment = {
                **os.environ,
                "DOCKER_HOST": f"unix://{self.socket}",
                "DOCKER_CONFIG": os.fspath(self.config),
                "BUILDKIT_PROGRESS": "plain",
                "TMPDIR": scratch,  # the client leaves files there
            }
            done = subprocess.run(
                [self.program, *arguments], input=stdin, capture_output=True, env=environment, check=False
            )
        if check and done.returncode != 0:
            words = " ".join(str(argument) for argument in arguments)
            raise DockerFailed(
                f"docker {words}: exit {done.returncode}\n{done.stderr[-4000:].decode(errors='replace')}"
            )
        return done

    def build(self, context: Path | bytes, *arguments: str | Path, tag: str = "") -> str:
        """Build a folder, or the bytes of a context (tar or Dockerfile); returns the image's id."""
        with tempfile.TemporaryDirectory() as folder:
            identity = Path(folder) / "image"
            self._build(context, ["--iidfile", identity, *arguments], tag, check=True)
            return identity.read_text().strip()

    def try_build(self, context: Path | bytes, *arguments: str | Path) -> Completed:
        """Build, and return how that ended."""
        return self._build(context, list(arguments), "", check=False)

    def run(self, image: str, *command: str, options: Sequence[str] = (), stdin: bytes = b"") -> Completed:
        """Run a container to its end, with the host's network; the exit code is the caller's to check."""
        given = ["--interactive"] if stdin else []
        return self.command(
            "run", "--rm", "--network=host", *given, *options, image, *command, stdin=stdin, check=False
        )

    def save(self, image: str, target: Path) -> Path:
        """Write the image as an archive (docker-archive and OCI layout in one); returns ``target``."""
        self.command("save", "--output", target, image)
        return target

    def load(self, archive: Path) -> str:
        """Load an archive of one image; returns what Docker calls it: its name, else its id."""
        printed = self.command("load", "--input", archive).stdout.decode()
        return printed.strip().splitlines()[-1].split(": ", 1)[1]

    def import_rootfs(self, rootfs: Path, name: str, *, changes: Sequence[str] = ()) -> str:
        """Make an image of one layer from a tar; ``changes`` are instructions such as ``CMD sh``.  Returns its id."""
        options = [option for change in changes for option in ("--change", change)]
        return self.command("import", *options, rootfs, name).stdout.decode().strip()

    def inspect(self, image: str) -> dict[str, Any]:
        """What ``docker image inspect`` prints of one image."""
        found: list[dict[str, Any]] = json.loads(self.command("image", "inspect", image).stdout)
        return found[0]

    def has(self, image: str) -> bool:
        """Is there an image of that name or id?"""
        return self.command("image", "inspect", image, check=False).returncode == 0

    def _build(self, context: Path | bytes, options: list[str | Path], tag: str, *, check: bool) -> Completed:
        if tag:
            options = ["--tag", tag, *options]
        if isinstance(context, bytes):
            return self.command("build", "--network=host", *options, "-", stdin=context, check=check)
        return self.command("build", "--network=host", *options, context, check=check)
