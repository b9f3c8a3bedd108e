"""What the parent and a worker say to each other, as msgpack: calls, notes and replies.

Paths that come from images are ``bytes`` here, because they need not be UTF-8; the client turns them into ``str``.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from ..limits import Limits
from .messages import RunRequest, RunResult, Written

RuntimeName = Literal["crun", "runc"]
Stacking = Literal["overlay", "copied"]


class Runtime(msgspec.Struct, frozen=True, tag=True):
    """The OCI runtime to use: its kind, which decides its options, its absolute path, and whether it filters system
    calls."""

    name: RuntimeName
    path: str
    has_seccomp: bool = True


class Chroot(msgspec.Struct, frozen=True, tag=True):
    """No runtime: a process with another root directory."""


class RunCall(msgspec.Struct, frozen=True, tag=True):
    """File descriptors: stdin, stdout, stderr.  Answer: ``RunResult``."""

    request: RunRequest
    stacking: Stacking
    isolation: Runtime | Chroot
    scratch: str


class UnpackCall(msgspec.Struct, frozen=True, tag=True):
    """File descriptor: a pipe with the layer tar.  Answer: ``UnpackReply``."""

    tree: str
    below: tuple[str, ...]
    origin: str


class DiffCall(msgspec.Struct, frozen=True, tag=True):
    """Answer: ``DiffReply``."""

    tree: str


class ReadCall(msgspec.Struct, frozen=True, tag=True):
    """Answer: ``ReadReply``, with the open file."""

    tree: str
    path: bytes


class WriteTarCall(msgspec.Struct, frozen=True, tag=True):
    """File descriptor: where the tar goes.  Answer: ``Written``."""

    tree: str
    toc: bytes


class DeleteCall(msgspec.Struct, frozen=True, tag=True):
    """Answer: ``Done``."""

    paths: tuple[bytes, ...]


class SyncCall(msgspec.Struct, frozen=True, tag=True):
    """Answer: ``Done``."""


class OverlayCall(msgspec.Struct, frozen=True, tag=True):
    """Mount an overlay in ``scratch`` and remove a directory of its lower tree.  Answer: ``Done``."""

    scratch: str


class ChrootCall(msgspec.Struct, frozen=True, tag=True):
    """Change the root to ``scratch`` and open a device node there.  Answer: ``Done``."""

    scratch: str


class LimitsCall(msgspec.Struct, frozen=True, tag=True):
    """Set these limits on nobody, to see whether they can be set.  Answer: ``Done``."""

    limits: Limits


Call = (
    LimitsCall
    | RunCall
    | UnpackCall
    | DiffCall
    | ReadCall
    | WriteTarCall
    | DeleteCall
    | SyncCall
    | OverlayCall
    | ChrootCall
)


class SignalNote(msgspec.Struct, frozen=True, tag=True):
    """Sent while a run goes on: pass this signal to its process."""

    number: int


class UnpackReply(msgspec.Struct, frozen=True, tag=True):
    entries: int
    size: int
    absent: tuple[bytes, ...]
    absent_xattrs: tuple[tuple[bytes, str], ...]


class DiffReply(msgspec.Struct, frozen=True, tag=True):
    toc: bytes
    warnings: tuple[bytes, ...]


class ReadReply(msgspec.Struct, frozen=True, tag=True):
    size: int


class Done(msgspec.Struct, frozen=True, tag=True):
    """It is done, and there is nothing to say about it."""


class Failed(msgspec.Struct, frozen=True, tag=True):
    """An exception of ``errors.py``, by its class's name."""

    error: str
    message: bytes
    details: str = ""
    hint: str = ""


Reply = RunResult | UnpackReply | DiffReply | ReadReply | Written | Done | Failed

encode = msgspec.msgpack.Encoder().encode
decode_call = msgspec.msgpack.Decoder(Call).decode
decode_note = msgspec.msgpack.Decoder(SignalNote).decode
decode_reply = msgspec.msgpack.Decoder(Reply).decode
