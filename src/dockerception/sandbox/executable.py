"""Whether a program can be started in a root file system, found out first: runtimes say it late and in their words."""

from __future__ import annotations

import os
import stat
from collections.abc import Sequence
from typing import Final, Literal

import msgspec

from . import emulation, rootpath
from .messages import NotStarted, RunRequest
from .spec import DEFAULT_PATH

_HEAD_SIZE: Final = 4096
_PT_INTERP: Final = 3


class Verdict(msgspec.Struct, frozen=True):
    """Why a program can't be started: ``kind`` is empty where nothing speaks against it.

    ``foreign`` is the architecture of a program that only an emulator can run.
    """

    kind: NotStarted = ""
    message: str = ""
    foreign: str = ""


def check(root: int, request: RunRequest, hidden: Sequence[str]) -> Verdict:
    """Look for ``args[0]`` and its interpreter.  What lies below ``hidden``, resolved mount targets, is not known."""
    if not request.args:
        return Verdict("not-found", "There is no command to run.")
    name = request.args[0]
    if "/" in name:
        candidates = [f"{request.cwd}/{name}" if not name.startswith("/") else name]
    else:
        candidates = [f"{folder or request.cwd}/{name}" for folder in _search_path(request).split(":")]
    denied = False
    for candidate in candidates:
        real = rootpath.resolve(root, candidate)
        if _is_hidden(real, hidden):
            return Verdict()
        status = _status(root, real)
        if status is None:
            continue
        if stat.S_ISREG(status.st_mode) and status.st_mode & 0o111:
            return _check_interpreter(root, real, candidate, hidden)
        denied = True
    if denied:
        return Verdict("not-executable", f"“{name}” can't be executed: permission denied.")
    where = "the image" if "/" in name else "$PATH of the image"
    return Verdict("not-found", f"“{name}” is not found in {where}.")


def interpreter(head: bytes) -> str:
    """What a program needs to be started, from its first bytes: of ``#!`` or of an ELF header (elf(5)); else empty."""
    if head.startswith(b"#!"):
        words = head[2:].split(b"\n", 1)[0].split()
        return os.fsdecode(words[0]) if words else ""
    if head.startswith(b"\x7fELF") and len(head) >= 64:
        return _elf_interpreter(head)
    return ""


def _elf_interpreter(head: bytes) -> str:
    order: Literal["little", "big"] = "little" if head[5] == 1 else "big"
    is_64 = head[4] == 2

    def number(position: int, size: int) -> int:
        return int.from_bytes(head[position : position + size], order)

    table = number(32, 8) if is_64 else number(28, 4)
    row_size, rows = (number(54, 2), number(56, 2)) if is_64 else (number(42, 2), number(44, 2))
    for row in range(min(rows, 64)):
        position = table + row * row_size
        if number(position, 4) == _PT_INTERP:
            start, size = (
                (number(position + 8, 8), number(position + 32, 8))
                if is_64
                else (
                    number(position + 4, 4),
                    number(position + 16, 4),
                )
            )
            return os.fsdecode(head[start : start + size].rstrip(b"\0"))
    return ""


def _check_interpreter(root: int, real: str, shown: str, hidden: Sequence[str]) -> Verdict:
    descriptor = os.open(real, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK, dir_fd=root)
    try:
        head = os.read(descriptor, _HEAD_SIZE)
    finally:
        os.close(descriptor)
    needed = interpreter(head)
    if needed.startswith("/"):
        found = rootpath.resolve(root, needed)
        if not _is_hidden(found, hidden) and _status(root, found) is None:
            return Verdict("not-found", f"“{shown}” needs “{needed}” to run, which is not found in the image.")
    return Verdict(foreign=emulation.foreign(head))


def _search_path(request: RunRequest) -> str:
    for variable in request.environment:
        if variable.startswith("PATH="):
            return variable[5:]
    return DEFAULT_PATH


def _status(root: int, path: str) -> os.stat_result | None:
    try:
        return os.stat(path or ".", dir_fd=root, follow_symlinks=False)
    except OSError:
        return None


def _is_hidden(path: str, hidden: Sequence[str]) -> bool:
    return any(path == target or path.startswith(f"{target}/") for target in hidden)
