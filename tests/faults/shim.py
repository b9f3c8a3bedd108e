"""A disk that fails, for one program: ``failing_disk.c`` is preloaded."""

from __future__ import annotations

import errno
import os
import struct
from pathlib import Path

import msgspec

from faults.preload import compiled

KINDS = (
    *("open", "write", "pwrite", "pwritev", "fsync", "syncfs", "ftruncate", "rename", "mkdir", "unlink"),
    *("sendfile", "link", "symlink"),
)
"""The kinds of calls that change files: of ``open`` those that make one; ``fsync`` is fdatasync too, and so on."""

_HEAD = struct.Struct(f"{len(KINDS) + 1}l")
_SIZE = 4096


class Fault(msgspec.Struct, frozen=True):
    """What fails: the ``at``-th call of a kind, from 1; 0 is none.

    ``how``: ``once``, ``from`` (that one and all of its kind that follow), ``dead`` (that one and all that follow), or
    ``short`` (from then on a write takes half).
    """

    kind: str = ""
    at: int = 0
    how: str = "once"
    error: int = errno.EIO


class Seen(msgspec.Struct, frozen=True):
    """What has happened: how many calls of each kind, how many of all failed, and the first of these with its path."""

    counts: dict[str, int] = {}
    failed: int = 0
    first: str = ""


class Shim(msgspec.Struct, frozen=True):
    """``disk`` is a directory on a file system of its own, ``state`` a file on another one."""

    disk: Path
    state: Path

    def environment(self, fault: Fault) -> dict[str, str]:
        """The variables that let the disk fail for a program, and for what it starts; nothing has been seen yet."""
        self.state.write_bytes(bytes(_SIZE))
        return {
            "LD_PRELOAD": str(compiled("failing_disk")),
            "FAILING_DISK_STATE": str(self.state),
            "FAILING_DISK_DEVICE": str(self.disk.stat().st_dev),
            "FAILING_DISK_CALL": fault.kind,
            "FAILING_DISK_AT": str(fault.at),
            "FAILING_DISK_HOW": fault.how,
            "FAILING_DISK_ERRNO": str(fault.error),
        }

    def seen(self) -> Seen:
        """What has happened since ``environment`` was asked for."""
        data = self.state.read_bytes()
        *counts, failed = _HEAD.unpack_from(data)
        first = os.fsdecode(data[_HEAD.size :].partition(b"\0")[0])
        return Seen(dict(zip(KINDS, counts, strict=True)), failed, first)
