"""Cache keys: SHA-256 over a canonical, versioned encoding of named parts.

A key holds no local path, user, engine or clock, so another machine computes the same one.
"""

from __future__ import annotations

import hashlib
from typing import Final

import msgspec

from ...dockerfile import instructions as ins
from ...oci.config import ContainerConfig
from . import configuring, mount_names
from .values import Step

VERSION: Final = 3

Parts = tuple[tuple[str, object], ...]
"""Named values of plain types (str, bytes, int, bool, tuples of them), in a fixed order."""

Contents = tuple[tuple[str, object], ...]
"""The files that a COPY or ADD copies: the name of each and what tells its contents."""

_encode = msgspec.msgpack.Encoder(order="deterministic").encode


def derive(kind: str, parts: Parts) -> str:
    """The key (64 hex digits) of a thing of this kind that depends on exactly these parts."""
    return hashlib.sha256(_encode(("dockerception", VERSION, kind, parts))).hexdigest()


def run_parts(instruction: ins.Run, step: Step, network: str, shown: tuple[object, ...]) -> Parts:
    """What a RUN depends on besides the layers below it.

    ``network`` is the build's; ``shown`` tells for each mount the files that it shows.
    """
    config = step.config
    return (
        ("command", configuring.command_line(instruction.command, config.shell)),
        ("environment", tuple(sorted(step.environment))),
        ("working directory", configuring.absolute("", config.working_dir)),
        ("user", config.user),
        ("network", network if instruction.network == "default" else instruction.network),
        ("security", instruction.security),
        ("devices", tuple(("device", ins.read_device(text).name) for text in instruction.devices)),
        ("script", instruction.command.content if isinstance(instruction.command, ins.Script) else ""),
        (
            "mounts",
            tuple(
                (*_mount_parts(instruction, mount, config.working_dir), files)
                for mount, files in zip(instruction.mounts, shown, strict=True)
            ),
        ),
    )


def _mount_parts(instruction: ins.Run, mount: ins.Mount, working_dir: str) -> tuple[object, ...]:
    """What a mount is, whatever it shows.  A secret and an agent are their ids, never their values; whether they must
    be there, and who shares a cache, makes no difference to what comes of it."""
    return (
        mount.type,
        mount_names.target(instruction, mount, working_dir),
        mount_names.identity(mount),
        mount.env,
        mount.is_read_only,
        (mount.mode, mount.uid, mount.gid, mount.size),
    )


def copy_parts(instruction: ins.Copy | ins.Add, config: ContainerConfig, contents: Contents) -> Parts:
    """What a COPY or ADD depends on besides the layers below it; ``contents`` names each source and its digest, and
    of an ADD whether it is unpacked, if it is an archive."""
    return (
        ("destination", configuring.absolute(instruction.destination, config.working_dir)),
        ("is a directory", is_directory_destination(instruction)),
        ("owner", instruction.chown),
        ("mode", instruction.chmod),
        ("excluded", tuple(instruction.exclude)),
        ("contents", contents),
        *((("root", instruction.root),) if isinstance(instruction, ins.Copy) and instruction.root else ()),
    )


def inline_contents(instruction: ins.Copy | ins.Add) -> Contents:
    """The here-documents of a COPY or ADD."""
    return tuple((file.name, file.content) for file in instruction.files)


def is_directory_destination(instruction: ins.Copy | ins.Add) -> bool:
    """Whether the destination is written as a directory: it ends in a slash or a dot."""
    return instruction.destination.endswith(("/", "/.")) or instruction.destination in (".", "..")
