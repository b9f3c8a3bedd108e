"""What is done on a disk that fails: commands that together write everything that dockerception ever writes."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Sequence
from pathlib import Path

import msgspec

from dockerception.library.images import list_images
from dockerception.store.store import Store
from faults.program import Program


class Place(msgspec.Struct, frozen=True):
    """Where a work is done: the store, a directory for its outputs on the same disk, and what it works on."""

    store: Path
    outputs: Path
    source: Path
    archive: Path
    pulled: str

    @property
    def program(self) -> Program:
        """The command on this store."""
        return Program(store=self.store)

    def words(self, line: str) -> Sequence[str]:
        """The arguments of a command line with the names of this place in it."""
        found = line.replace("OUT", str(self.outputs)).replace("SOURCE", str(self.source))
        return found.replace("ARCHIVE", str(self.archive)).replace("PULLED", self.pulled).split()

    def names(self) -> dict[str, str]:
        """What is named in the store, and the ids of the images."""
        with Store(str(self.store)) as store:
            return {name: summary.image for summary in list_images(store) for name in summary.names}

    def flaws(self) -> list[str]:
        """What is damaged in the store, as ``doctor --store`` looks."""
        with Store(str(self.store)) as store:
            return [str(flaw) for flaw in store.verify().flaws if flaw.kind == "damage"]

    def results(self) -> dict[str, str]:
        """Everything that a work has made: names with their ids, outputs with their digests."""
        files = [path for path in self.outputs.rglob("*") if not path.is_dir()]
        return {**self.names(), **{str(path.relative_to(self.outputs)): _digest(path) for path in files}}


_BUILD = "build --no-cache --progress=json -t made SOURCE"
WORKS = {
    "build": f"{_BUILD} -o type=docker,dest=OUT/image.tar",
    "first build": _BUILD,
    "layout": "assemble --no-cache -t made -f SOURCE/run -o type=oci,tar=false,dest=OUT/layout SOURCE",
    "files": "assemble --no-cache -t made -f SOURCE/run -o type=local,dest=OUT/files SOURCE",
    "context": "context --no-cache -o OUT/context SOURCE",
    "pull": "pull PULLED",
    "load": "load -i ARCHIVE",
    "save": "save -o OUT/image.tar kept",
    "rm": "rm kept",
    "prune": "prune --all --force",
}
"""The names and the command lines of all works."""

_FORGOTTEN_FIRST = {"first build": ("machine.json", "seccomp-*")}


def prepare(work: str, place: Place) -> None:
    """Put a store into the state that a work begins with."""
    for pattern in _FORGOTTEN_FIRST.get(work, ()):
        for path in place.store.glob(pattern):
            path.unlink()


def told(errors: str) -> dict[str, str]:
    """The error that a command has shown: its ``code``, ``message`` and ``hint``; empty where there is none."""
    for line in errors.splitlines():
        if line.startswith('{"event": "error"') or '"event":"error"' in line:
            return {key: str(value) for key, value in json.loads(line).items()}
    head, _, rest = errors[errors.find("error[") :].partition("\n") if "error[" in errors else ("", "", "")
    code, _, message = head.removeprefix("error[").partition("]: ")
    return {"code": code, "message": message, "hint": rest.partition("hint: ")[2]} if head else {}


def _digest(path: Path) -> str:
    if path.is_symlink():
        return os.readlink(path)
    return hashlib.sha256(path.read_bytes()).hexdigest()
