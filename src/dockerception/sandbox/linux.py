"""System calls that Python does not wrap.  Each raises ``OSError``; only the helper uses them."""

from __future__ import annotations

import ctypes
import os
import struct
from collections.abc import Collection
from typing import Final

CLONE_NEWNS: Final = 0x00020000
CLONE_NEWUTS: Final = 0x04000000
CLONE_NEWIPC: Final = 0x08000000
CLONE_NEWNET: Final = 0x40000000

MS_RDONLY: Final = 1
MS_NOSUID: Final = 2
MS_NODEV: Final = 4
MS_NOEXEC: Final = 8
MS_REMOUNT: Final = 32
MS_BIND: Final = 4096
MS_REC: Final = 16384
MNT_DETACH: Final = 2

_PR_SET_PDEATHSIG: Final = 1
_PR_CAPBSET_READ: Final = 23
_PR_CAPBSET_DROP: Final = 24
_PR_SET_CHILD_SUBREAPER: Final = 36
_PR_SET_NO_NEW_PRIVS: Final = 38
_SIOCSIFFLAGS: Final = 0x8914
_IFF_UP: Final = 1

# The calls of the mount interface of Linux 5.2 have one number on every architecture.
_SYS_MOVE_MOUNT: Final = 429
_SYS_FSOPEN: Final = 430
_SYS_FSCONFIG: Final = 431
_SYS_FSMOUNT: Final = 432
_FSOPEN_CLOEXEC: Final = 1
_FSMOUNT_CLOEXEC: Final = 1
_MOUNT_ATTR_NODEV: Final = 4
_FSCONFIG_SET_FLAG: Final = 0
_FSCONFIG_SET_STRING: Final = 1
_FSCONFIG_CMD_CREATE: Final = 6
_MOVE_MOUNT_F_EMPTY_PATH: Final = 4
_AT_FDCWD: Final = -100
_AT_EMPTY_PATH: Final = 0x1000
_STATX_BTIME: Final = 0x800
_STATX = struct.Struct("=I76xqI164x")  # of struct statx: stx_mask, stx_btime

_libc: Final = ctypes.CDLL(None, use_errno=True)


def mount(source: str, target: str, kind: str, flags: int = 0, data: str = "") -> None:
    """mount(2).  ``data`` with its end must fit into one page."""
    _check(
        _libc.mount(
            os.fsencode(source), os.fsencode(target), os.fsencode(kind), ctypes.c_ulong(flags), os.fsencode(data)
        ),
        target,
    )


def unmount(target: str, flags: int = 0) -> None:
    """umount2(2)."""
    _check(_libc.umount2(os.fsencode(target), flags), target)


def unshare(flags: int) -> None:
    """unshare(2)."""
    _check(_libc.unshare(flags))


def sync_file_system(descriptor: int) -> None:
    """syncfs(2): everything written to this descriptor's file system is on the disk."""
    _check(_libc.syncfs(descriptor))


def adopt_orphans() -> None:
    """Make this process the parent of its descendants whose own parent ends (PR_SET_CHILD_SUBREAPER)."""
    _check(_libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0))


def end_with_parent(number: int) -> None:
    """Have the kernel send this signal when the parent ends (PR_SET_PDEATHSIG)."""
    _check(_libc.prctl(_PR_SET_PDEATHSIG, number, 0, 0, 0))


def forbid_new_privileges() -> None:
    """No program that this process starts gains rights by its owner or its capabilities (PR_SET_NO_NEW_PRIVS)."""
    _check(_libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))


def drop_capabilities(kept: Collection[int]) -> None:
    """Take all capabilities but these numbers from the bounding set, and so from every program that is started."""
    number = 0
    while (has := _libc.prctl(_PR_CAPBSET_READ, number, 0, 0, 0)) >= 0:  # an error after the last one
        if has and number not in kept:
            _check(_libc.prctl(_PR_CAPBSET_DROP, number, 0, 0, 0))
        number += 1


def start_loopback() -> None:
    """Bring ``lo`` up in this process's network namespace (netdevice(7))."""
    import fcntl
    import socket

    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        fcntl.ioctl(control, _SIOCSIFFLAGS, struct.pack("16sh14x", b"lo", _IFF_UP))


def mount_options(kind: str, target: str, options: list[tuple[str, str]]) -> None:
    """Mount a file system, ``nodev``, whose options don't fit into a page: one call each (fsopen(2), fsconfig(2)).

    An option with an empty value is a flag.
    """
    context = _check(_libc.syscall(_SYS_FSOPEN, os.fsencode(kind), _FSOPEN_CLOEXEC))
    try:
        for name, value in options:
            command = _FSCONFIG_SET_STRING if value else _FSCONFIG_SET_FLAG
            text = ctypes.c_char_p(os.fsencode(value)) if value else None
            _check(_libc.syscall(_SYS_FSCONFIG, context, command, os.fsencode(name), text, 0), f"{name}={value}")
        _check(_libc.syscall(_SYS_FSCONFIG, context, _FSCONFIG_CMD_CREATE, None, None, 0), target)
        mounted = _check(_libc.syscall(_SYS_FSMOUNT, context, _FSMOUNT_CLOEXEC, _MOUNT_ATTR_NODEV))
    finally:
        os.close(context)
    try:
        _check(
            _libc.syscall(_SYS_MOVE_MOUNT, mounted, b"", _AT_FDCWD, os.fsencode(target), _MOVE_MOUNT_F_EMPTY_PATH),
            target,
        )
    finally:
        os.close(mounted)


def birth_time(descriptor: int) -> int:
    """When an open file was made, in nanoseconds (statx(2)); 0 where its file system does not know."""
    answer = ctypes.create_string_buffer(_STATX.size)
    _check(_libc.statx(descriptor, b"", _AT_EMPTY_PATH, _STATX_BTIME, answer))
    mask, seconds, nanoseconds = _STATX.unpack(answer)
    return seconds * 1_000_000_000 + nanoseconds if mask & _STATX_BTIME else 0


def _check(result: int, path: str | None = None) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), path)
    return result
