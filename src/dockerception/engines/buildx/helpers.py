"""The static busybox that runs builders: an image that the user names, a file of this machine, or ``busybox:musl``."""

from __future__ import annotations

import os
import struct
from typing import Final

import msgspec

from ... import process
from ...errors import MachineError, UsageError
from ...reference import Platform

DEFAULT_IMAGE: Final = "busybox:musl"
_INTERPRETER: Final = 3  # PT_INTERP of the ELF specification: what asks for a dynamic loader
_HEADER: Final = struct.Struct("<4sBBBB8xHHIQQQIHHH")
_SEGMENT: Final = struct.Struct("<I52x")


class Helper(msgspec.Struct, frozen=True, kw_only=True):
    """``image`` as FROM has it, or ``file``, the path of a static program of this machine."""

    image: str = ""
    file: str = ""


def find_helper(wanted: str, platform: Platform) -> Helper:
    """The helper for images of ``platform``.

    ``wanted`` is an image, or a path with ``/`` or ``./`` in front.  Where it is empty, this machine's own busybox is
    taken if it fits, for it needs no registry; else ``busybox:musl``.  Raises ``UsageError`` for a file that can't be
    the helper.
    """
    if wanted.startswith(("/", "./", "../", "~/")):
        path = os.path.abspath(os.path.expanduser(wanted))
        if not is_static(path):
            raise UsageError(
                f"--emit-helper: {path} is no static program for Linux.",
                hint="give a statically linked busybox, e.g. of Debian's package busybox-static, or an image",
            )
        return Helper(file=path)
    if wanted:
        return Helper(image=wanted)
    own = process.find("busybox") if platform == Platform.host() else None
    return Helper(file=own) if own is not None and is_static(own) else Helper(image=DEFAULT_IMAGE)


def is_static(path: str) -> bool:
    """Whether a file is a program of 64 bits without a dynamic loader; False where it can't be read."""
    try:
        with open(path, "rb") as file:
            head = file.read(_HEADER.size)
            if len(head) < _HEADER.size:
                return False
            fields = _HEADER.unpack(head)
            if fields[:3] != (b"\x7fELF", 2, 1):
                return False
            offset, size, count = fields[9], fields[13], fields[14]
            file.seek(offset)
            table = file.read(size * count)
    except OSError:
        return False
    kinds = [_SEGMENT.unpack_from(table, at)[0] for at in range(0, len(table) - _SEGMENT.size + 1, size)]
    return bool(kinds) and _INTERPRETER not in kinds


def program(path: str) -> bytes:
    """The bytes of the helper's file."""
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError as error:
        raise MachineError(f"{path} can't be read: {error.strerror}.") from error
