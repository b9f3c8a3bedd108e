"""The devices of this machine, out of all specifications in its directories (CDI specification, "Overview")."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Final

import msgspec

from ....errors import MachineError
from .specs import SUFFIXES, ContainerEdits, Spec, read

DIRECTORIES: Final = ("/etc/cdi", "/var/run/cdi", "/etc/buildkit/cdi")
"""Where BuildKit looks.  What a later one says of a device is stronger."""

_CLASS: Final = "org.mobyproject.buildkit.device.class"
_ALLOWED: Final = "org.mobyproject.buildkit.device.autoallow"
_TRUE: Final = ("1", "t", "true")


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """A device by its full name, the file that it is in, and what a container needs for it, the file's own edits first.

    ``class_`` is what several devices of a kind may be asked for by; ``is_allowed`` says that nobody has to allow it.
    """

    name: str
    file: str
    edits: tuple[ContainerEdits, ...]
    class_: str = ""
    is_allowed: bool = False

    @property
    def kind(self) -> str:
        """``VENDOR/CLASS``."""
        return self.name.partition("=")[0]


class Registry(msgspec.Struct, frozen=True, kw_only=True):
    """The devices by their names, in the order of files and of what is in them, and what is wrong with other files."""

    devices: dict[str, Found]
    problems: tuple[str, ...] = ()

    def find(self, name: str) -> tuple[Found, ...]:
        """What is meant by a name in a Dockerfile, as BuildKit has it: a device; all (``=*``) or any one of a kind;
        else those whose class has this name."""
        kind, _, wanted = name.partition("=")
        of_kind = tuple(device for device in self.devices.values() if device.kind == kind)
        if wanted == "*":
            return of_kind
        if not wanted:
            return of_kind[:1]
        exact = self.devices.get(name)
        return (exact,) if exact is not None else tuple(each for each in of_kind if each.class_ == wanted)


def load(directories: Sequence[str]) -> Registry:
    """Read all specifications.  A file that is none, and a device that two files of one directory have, is a problem;
    the others count all the same."""
    devices: dict[str, Found] = {}
    problems: list[str] = []
    for directory in dict.fromkeys(map(os.path.realpath, directories)):
        here: dict[str, Found] = {}
        twice: set[str] = set()
        for path in _files(directory):
            try:
                spec = read(path)
            except MachineError as error:
                problems.append(" ".join(filter(None, (error.message, error.hint and f"({error.hint})"))))
                continue
            for device in _devices(spec, path):
                if device.name in here:
                    twice.add(device.name)
                    problems.append(f"{device.name} is in {here[device.name].file} and in {path}, so it is none.")
                here[device.name] = device
        devices = {**devices, **here}
        for name in twice:
            del devices[name]
    return Registry(devices=devices, problems=tuple(problems))


def _files(directory: str) -> list[str]:
    try:
        names = sorted(os.listdir(directory))
    except OSError:
        return []  # a machine without devices
    return [os.path.join(directory, name) for name in names if name.endswith(SUFFIXES)]


def _devices(spec: Spec, path: str) -> list[Found]:
    found = []
    for device in spec.devices:
        annotations = {**spec.annotations, **device.annotations}
        found.append(
            Found(
                name=f"{spec.kind}={device.name}",
                file=path,
                edits=(spec.container_edits, device.container_edits),
                class_=annotations.get(_CLASS, ""),
                is_allowed=annotations.get(_ALLOWED, "").lower() in _TRUE,
            )
        )
    return found
