"""The values that users of the sandbox give it and get from it."""

from __future__ import annotations

from typing import Final, Literal

import msgspec

from ..limits import NONE, Limits
from ..oci.toc import Toc

DEFAULT_HOSTNAME: Final = "buildkitsandbox"
KEPT: Final = "kept-copy"
"""What a directory is called that one run leaves in the scratch directory for the next one."""

MountKind = Literal["bind", "cache", "tmpfs", "layers", "secret", "script", "agent", "device"]


class Hidden(msgspec.Struct, frozen=True):
    """Bytes that no message, log or traceback may show: a secret's value."""

    value: bytes

    def __repr__(self) -> str:
        return "Hidden(…)"


class Mount(msgspec.Struct, frozen=True, kw_only=True):
    """Something mounted for one run.  Nothing written to it reaches the upper directory.

    =========  ======================================================================================================
    bind       ``source``, an absolute path of the host
    cache      the directory ``source`` of the host; where it is missing it is made, as a copy of ``inner`` in
               ``layers`` if there are any, else empty with ``mode``, ``uid`` and ``gid``
    tmpfs      empty memory, at most ``size`` bytes (0: the kernel's own limit), with ``mode``
    layers     the file or directory ``inner`` of ``layers`` (as in ``RunRequest``); unless it is read-only, what is
               written to it is thrown away after the run
    secret     a file in memory that holds ``content``, with ``mode``, ``uid`` and ``gid``; always read-only
    script     the same, and may be executed
    agent      a socket with ``mode``, ``uid`` and ``gid`` that leads to the ssh agent at the socket ``source``, or to
               one of its own that holds ``keys``, files of the host; it signs and lists, nothing else
    device     the device node ``source`` of the host; with a ``mode``, ``uid`` or ``gid`` one with its numbers, where
               such can be made
    =========  ======================================================================================================

    ``target`` is an absolute path in the container; links of the image are followed, within the image.  ``inner`` is
    relative to the root of the layers, with no link on the way.  A ``mode`` of None is that of the directory below (or
    1777) for tmpfs, 0755 otherwise.
    """

    kind: MountKind
    target: str
    source: str = ""
    layers: tuple[str, ...] = ()
    inner: str = ""
    content: Hidden = Hidden(b"")
    keys: tuple[str, ...] = ()
    is_readonly: bool = False
    size: int = 0
    mode: int | None = None
    uid: int = 0
    gid: int = 0


class Hook(msgspec.Struct, frozen=True, kw_only=True):
    """A program of the host that an OCI runtime calls ``when`` (runtime-spec config.md, "POSIX-platform Hooks"), with
    its own rights; ``args`` begin with its name, ``timeout`` is in seconds."""

    when: str
    path: str
    args: tuple[str, ...] = ()
    env: tuple[str, ...] = ()
    timeout: int | None = None


class RunRequest(msgspec.Struct, frozen=True, kw_only=True):
    """One process in one root file system.

    ``layers`` are names in ``trees/``, the bottom one first.  ``upper`` and ``work`` are absolute paths on the store's
    file system; ``upper`` receives the changes (it is made where missing, with the attributes of the topmost layer's
    root), ``work`` must be empty or missing and is gone afterwards.  Without them the changes are thrown away.
    ``environment`` holds ``NAME=value``; ``PATH`` in it is where ``args[0]`` is looked for.  ``additional_gids`` are
    numbers; names have been looked up before.  ``hosts`` are further lines of ``/etc/hosts``: (name, address).
    ``capabilities`` of None are Docker's default set.  ``is_privileged`` gives the process all of the helper's, and
    hides nothing of the machine from it (``RUN --security=insecure``).  ``limits`` are those of the process and all
    that it starts.  ``hooks`` are called by the runtime; a chroot has none, and can't be asked for any.
    """

    layers: tuple[str, ...]
    args: tuple[str, ...]
    upper: str = ""
    work: str = ""
    environment: tuple[str, ...] = ()
    cwd: str = "/"
    uid: int = 0
    gid: int = 0
    additional_gids: tuple[int, ...] = ()
    mounts: tuple[Mount, ...] = ()
    network: Literal["host", "none"] = "host"
    hostname: str = DEFAULT_HOSTNAME
    hosts: tuple[tuple[str, str], ...] = ()
    has_terminal: bool = False
    capabilities: tuple[str, ...] | None = None
    has_no_new_privileges: bool = False
    has_readonly_root: bool = False
    is_privileged: bool = False
    limits: Limits = NONE
    hooks: tuple[Hook, ...] = ()


Exceeded = Literal["", "memory", "timeout"]
NotStarted = Literal["", "not-found", "not-executable", "runtime"]


class RunResult(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """How a run ended.

    ``returncode`` is the process's own, or 128 plus the signal that ended it.  Where it never started, ``not_started``
    says why, ``message`` is a full sentence, and ``returncode`` is as ``docker run`` has it: 127 where the program (or
    its interpreter) does not exist, 126 where it can't be executed, 125 where the runtime failed.  ``exceeded`` names
    the limit because of which a process was killed.  ``foreign`` is the architecture of a program that is another
    machine's.
    """

    returncode: int
    exceeded: Exceeded = ""
    not_started: NotStarted = ""
    message: str = ""
    foreign: str = ""


class Unpacked(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a layer tar: entries read, bytes of files, and what this machine's namespace may not create.

    ``absent`` are paths of device nodes; ``absent_xattrs`` are (path, attribute) pairs.  Both stay in the layer's blob.
    """

    entries: int
    size: int
    absent: tuple[str, ...] = ()
    absent_xattrs: tuple[tuple[str, str], ...] = ()


class DiffResult(msgspec.Struct, frozen=True, kw_only=True):
    """What a tree holds.  ``warnings`` are sentences about files that no layer can hold (sockets), left out of it."""

    toc: Toc
    warnings: tuple[str, ...] = ()


class Written(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """A written layer tar: its size in bytes and its SHA-256, which is the layer's diff_id."""

    size: int
    digest: bytes


class Ability(msgspec.Struct, frozen=True, kw_only=True):
    """Whether one thing works on this machine; ``reason`` says why not, ``remedy`` what would help."""

    works: bool
    reason: str = ""
    remedy: str = ""


class RuntimeAbility(msgspec.Struct, frozen=True, kw_only=True):
    """One OCI runtime: where it is, whether it ran a shell of this machine, and whether its system calls were filtered
    (``seccomp``)."""

    name: str
    path: str
    works: bool
    seccomp: bool = True
    reason: str = ""
    remedy: str = ""


class Abilities(msgspec.Struct, frozen=True, kw_only=True):
    """What the sandbox can do here.  ``key`` names machine, boot, user and runtimes; another key means: look again.

    ``limits`` says of each limit that takes a control group whether it can be set (``Limits.grouped``).
    ``cgroups`` is ``v2``, ``hybrid``, ``v1`` or ``none``.  ``helper`` is whether the helper's namespaces can be made,
    ``chroot`` whether steps can run without them, ``subordinate_ids`` whether more than one owner can be told apart.
    """

    key: str
    helper: Ability
    overlay: Ability
    chroot: Ability
    subordinate_ids: Ability
    runtimes: tuple[RuntimeAbility, ...]
    cgroups: str
    limits: dict[str, Ability] = {}
