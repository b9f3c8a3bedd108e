"""Cache keys: SHA-256 over a canonical, versioned encoding of named parts.

A key holds no local path, user, engine or clock, so another machine computes the same one.  The parts are kept beside
it: ``--explain`` prints the first one that differs.
"""

from __future__ import annotations

import hashlib
from typing import Final

import msgspec

from ...dockerfile import instructions as ins
from ...oci.config import ContainerConfig
from . import configuring
from .values import Step

VERSION: Final = 1

Parts = tuple[tuple[str, object], ...]
"""Named values of plain types (str, bytes, int, bool, tuples of them), in a fixed order."""

Contents = tuple[tuple[str, object], ...]
"""The files that a COPY or ADD copies: the name of each and what tells its contents."""

_encode = msgspec.msgpack.Encoder(order="deterministic").encode


def derive(kind: str, parts: Parts) -> str:
    """The key (64 hex digits) of a thing of this kind that depends on exactly these parts."""
    return hashlib.sha256(_encode(("dockerception", VERSION, kind, parts))).hexdigest()


def encode_parts(parts: Parts) -> bytes:
    """The parts as they are kept for explanations."""
    return _encode(parts)


def run_parts(instruction: ins.Run, step: Step, network: str) -> Parts:
    """What a RUN depends on besides the layers below it; ``network`` is the build's."""
    config = step.config
    return (
        ("command", configuring.command_line(instruction.command, config.shell)),
        ("environment", tuple(sorted(step.environment))),
        ("working directory", config.working_dir),
        ("user", config.user),
        ("network", network if instruction.network == "default" else instruction.network),
        ("mounts", tuple(mount.options for mount in instruction.mounts)),
    )


def copy_parts(instruction: ins.Copy | ins.Add, config: ContainerConfig, contents: Contents) -> Parts:
    """What a COPY or ADD depends on besides the layers below it; ``contents`` names each source and its digest."""
    return (
        ("destination", configuring.absolute(instruction.destination, config.working_dir)),
        ("is a directory", is_directory_destination(instruction)),
        ("owner", instruction.chown),
        ("mode", instruction.chmod),
        ("unpacks", isinstance(instruction, ins.Add) and instruction.unpack is not False),
        ("excluded", tuple(instruction.exclude)),
        ("contents", contents),
    )


def inline_contents(instruction: ins.Copy | ins.Add) -> Contents:
    """The here-documents of a COPY or ADD."""
    return tuple((file.name, file.content) for file in instruction.files)


def is_directory_destination(instruction: ins.Copy | ins.Add) -> bool:
    """Whether the destination is written as a directory: it ends in a slash or a dot."""
    return instruction.destination.endswith(("/", "/.")) or instruction.destination in (".", "..")
