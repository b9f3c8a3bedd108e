"""A project and the real command, for tests that read like the rules of nested builds."""

from __future__ import annotations

import io
import re
import tarfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from faults.program import Done, Failure, Program
from peers.archive import read_image

AS_IS = "FROM scratch\nCOPY . /\n"
"""The last level of most tests: its image is its context."""

_OF_BUSYBOX = ("bin/", "usr/", "etc/passwd", "etc/group")


class Made(msgspec.Struct, frozen=True):
    """What a build has come to: the config document, the entries, the contents of files, and what has been said."""

    document: dict[str, Any]
    entries: dict[str, tarfile.TarInfo]
    contents: dict[str, str]
    said: str

    @property
    def files(self) -> dict[str, str]:
        """The contents of the regular files, without those of busybox and what a RUN finds in /etc."""
        return {path: text for path, text in self.contents.items() if not path.startswith(_OF_BUSYBOX)}

    @property
    def config(self) -> dict[str, Any]:
        """What a container of it is run with."""
        found: dict[str, Any] = self.document["config"]
        return found

    @property
    def layers(self) -> list[str]:
        """The diff_ids."""
        found: list[str] = self.document["rootfs"]["diff_ids"]
        return found

    def owner(self, path: str) -> tuple[int, int]:
        """Whose an entry is."""
        return self.entries[path].uid, self.entries[path].gid


class Bench:
    """A folder with a Dockerfile, built with a store that has busybox."""

    def __init__(self, program: Program, folder: Path) -> None:
        self.program = program
        self.folder = folder
        self.source = folder / "source"
        self.source.mkdir()
        self._builds = 0

    def write(self, dockerfile: str | bytes, **files: str) -> None:
        """Write the Dockerfile, and files whose names have ``__`` for a dot."""
        data = dockerfile.encode() if isinstance(dockerfile, str) else dockerfile
        (self.source / "Dockerfile").write_bytes(data)
        for name, text in files.items():
            (self.source / name.replace("__", ".")).write_text(text)

    def build(
        self, dockerfile: str | bytes = b"", *options: str | Path, verb: str = "build", files: Mapping[str, str] = {}
    ) -> Made:
        """Build what is given, or what has been written; it has to succeed."""
        if dockerfile:
            self.write(dockerfile, **files)
        self._builds += 1
        image, tree = (self.folder / f"{kind}-{self._builds}.tar" for kind in ("image", "tree"))
        done = self.run(verb, "-o", f"type=docker,dest={image}", "-o", f"type=tar,dest={tree}", *options)
        assert done.code == 0, f"exit {done.code}\n{done.errors}"
        return _made(image, tree, done.errors)

    def fail(
        self,
        dockerfile: str | bytes,
        failure: Failure,
        *options: str | Path,
        verb: str = "build",
        files: Mapping[str, str] = {},
    ) -> Done:
        """Build it, and check how it fails: nothing is named."""
        if dockerfile:
            self.write(dockerfile, **files)
        done = self.run(verb, "-t", "unwanted", *options)
        failure.check(done)
        assert "unwanted:latest" not in self.program.names()
        return done

    def run(self, verb: str, *options: str | Path) -> Done:
        """Run a command on the project, with plain progress."""
        words = list(options)
        position = words.index("--") if "--" in words else len(words)
        return self.program.run(verb, "--progress", "plain", *words[:position], self.source, *words[position:])


def _made(image: Path, tree: Path, said: str) -> Made:
    with tarfile.open(tree) as archive:
        entries = {member.name: member for member in archive}
        contents = {
            name: (archive.extractfile(member) or io.BytesIO()).read().decode(errors="replace")
            for name, member in entries.items()
            if member.isfile()
        }
    return Made(document=read_image(image).config, entries=entries, contents=contents, said=said)


def marked(done: Done) -> list[str]:
    """The lines that an error marks, without their numbers."""
    return [line.strip() for line in re.findall(r"^ *[0-9]+ \| >>> (.*)$", done.errors, re.MULTILINE)]


def context_error(message: str, hint: str = "") -> Failure:
    """How a build fails for its context."""
    return Failure(4, "context", message, hint)


def dockerfile_error(message: str, hint: str = "") -> Failure:
    """How a build fails for its Dockerfile."""
    return Failure(3, "dockerfile", message, hint)


def of_directory(steps: str, build: str = "BUILD /o\n", last: str = AS_IS) -> str:
    """A level on busybox, a BUILD, and the level behind it."""
    return f"FROM busybox\n{steps}{build}{last}"
