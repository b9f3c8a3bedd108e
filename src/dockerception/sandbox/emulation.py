"""Programs of other machines: which machine a program is for, and whether this one's kernel hands it to an emulator.

The kernel does so by ``binfmt_misc``: a handler matches the first bytes of a program and names an interpreter, such as
one of QEMU's user emulators.  Only a handler with the flag F, whose interpreter is open already, works in a container.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Final, Literal

import msgspec

from ..reference import Platform
from .causes import Cause
from .messages import RunResult

HANDLERS: Final = "/proc/sys/fs/binfmt_misc"
_HEAD: Final = 20  # bytes of an ELF header that handlers look at (elf(5)): up to the machine
INSTALL: Final = "apt-get install qemu-user-static binfmt-support"


class _Machine(msgspec.Struct, frozen=True):
    """How ELF headers name a machine: class (1: 32 bits, 2: 64), byte order (1: little, 2: big), number."""

    bits: int
    order: int
    number: int


_MACHINES: Final = {
    "386": _Machine(1, 1, 3),
    "amd64": _Machine(2, 1, 62),
    "arm": _Machine(1, 1, 40),
    "arm64": _Machine(2, 1, 183),
    "loong64": _Machine(2, 1, 258),
    "mips64": _Machine(2, 2, 8),
    "mips64le": _Machine(2, 1, 8),
    "ppc64le": _Machine(2, 1, 21),
    "riscv64": _Machine(2, 1, 243),
    "s390x": _Machine(2, 2, 22),
}
_ALSO: Final = {"amd64": ("386",), "arm64": ("arm",)}
"""What a processor runs besides its own programs."""


class Handler(msgspec.Struct, frozen=True):
    """A handler of binfmt_misc for programs that begin so."""

    name: str
    is_enabled: bool
    flags: str
    offset: int
    magic: bytes
    mask: bytes

    def matches(self, head: bytes) -> bool:
        """Whether the kernel gives a program with this head to the handler."""
        part = head[self.offset : self.offset + len(self.magic)]
        masks = self.mask or b"\xff" * len(self.magic)
        return len(part) == len(self.magic) and all(
            not (byte ^ wanted) & mask for byte, wanted, mask in zip(part, self.magic, masks, strict=True)
        )


def foreign(head: bytes) -> str:
    """The architecture, as images name it, of a program that this processor can't run; empty for every other file."""
    if not head.startswith(b"\x7fELF") or len(head) < _HEAD:
        return ""
    order: Literal["little", "big"] = "big" if head[5] == 2 else "little"
    found = _Machine(head[4], head[5], int.from_bytes(head[18:20], order))
    name = next((name for name, machine in _MACHINES.items() if machine == found), "")
    return "" if is_native(name) else name


def is_native(architecture: str) -> bool:
    """Whether this processor runs programs of an architecture; true for one that is not known."""
    own = Platform.host().architecture
    return architecture not in _MACHINES or architecture == own or architecture in _ALSO.get(own, ())


def lack(architecture: str, handlers: str = HANDLERS) -> Cause | None:
    """Why programs of an architecture can't be run here, and what mends it; None where they can."""
    if is_native(architecture):
        return None
    matching = [handler for handler in _handlers(handlers) if handler.matches(_head(architecture))]
    if any(handler.is_enabled and "F" in handler.flags for handler in matching):
        return None
    if not matching:
        return Cause(f"no emulator for {architecture} is registered in {handlers}", INSTALL)
    first = matching[0]
    if not first.is_enabled:
        return Cause(f"the handler {first.name} in {handlers} is disabled", f"update-binfmts --enable {first.name}")
    return Cause(
        f"the handler {first.name} in {handlers} looks for its emulator inside of the container: it lacks the flag F",
        f"register it with the flag F, as Debian's packages do: {INSTALL}",
    )


def emulated(handlers: str = HANDLERS) -> tuple[str, ...]:
    """The architectures whose programs this machine runs by an emulator."""
    return tuple(name for name in _MACHINES if not is_native(name) and lack(name, handlers) is None)


def failed(result: RunResult, handlers: str = HANDLERS) -> Cause | None:
    """Why a run failed whose program is another machine's: for want of an emulator; None for every other run.

    A runtime that finds this out inside of the container exits with 1, and what it says is among the container's words.
    """
    if not result.foreign or not (result.not_started or result.returncode == 1):
        return None
    if not result.not_started and not os.path.exists(f"{handlers}/status"):
        return None  # what is registered can't be seen, so the program may have run
    return lack(result.foreign, handlers)


def explained(result: RunResult) -> RunResult:
    """The result of a run, as of one that did not start where its program is another machine's."""
    cause = failed(result)
    if cause is None:
        return result
    message = (
        f"It is a program for linux/{result.foreign}, which this machine ({Platform.host()}) can't run: {cause.reason};"
        f" to mend it: {cause.remedy}."
    )
    return msgspec.structs.replace(result, returncode=126, not_started="not-executable", message=message)


def _head(architecture: str) -> bytes:
    """The first bytes of a program of an architecture, executable and of the current ABI."""
    machine = _MACHINES[architecture]
    order: Literal["little", "big"] = "big" if machine.order == 2 else "little"
    kind, number = (value.to_bytes(2, order) for value in (2, machine.number))
    return bytes((*b"\x7fELF", machine.bits, machine.order, 1, 0)) + bytes(8) + kind + number


def _handlers(folder: str) -> Iterator[Handler]:
    try:
        names = sorted(os.listdir(folder))
    except OSError:
        return
    for name in names:
        if name not in ("register", "status"):
            handler = _read(os.path.join(folder, name), name)
            if handler is not None:
                yield handler


def _read(path: str, name: str) -> Handler | None:
    """A handler from its file; None for one that matches names."""
    try:
        with open(path, encoding="ascii", errors="replace") as file:
            lines = file.read().splitlines()
    except OSError:
        return None
    fields = dict(line.partition(" ")[::2] for line in lines[1:])
    try:
        return Handler(
            name=name,
            is_enabled=lines[:1] == ["enabled"],
            flags=fields.get("flags:", ""),
            offset=int(fields["offset"]),
            magic=bytes.fromhex(fields["magic"]),
            mask=bytes.fromhex(fields.get("mask", "")),
        )
    except (KeyError, ValueError):
        return None
