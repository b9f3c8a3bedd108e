"""Why namespaces can't be made and overlays not be mounted, from what the kernel says of itself, of this process and of
the store's file system: causes, not symptoms."""

from __future__ import annotations

import os
import re
from typing import Final

import msgspec

OVERLAY_KERNEL: Final = (5, 11)
NETWORK_FILE_SYSTEMS: Final = ("nfs", "nfs4", "cifs", "smb3", "fuse.sshfs", "9p", "afs")
NO_UPPER: Final = ("overlay", "fuse.fuse-overlayfs", "vfat", *NETWORK_FILE_SYSTEMS)
"""File systems that can't hold the upper directory of an overlay."""

_SYS_CHROOT: Final = 18
_SYS_ADMIN: Final = 21
_MKNOD: Final = 27
_FILTERED: Final = 2

_CLONE: Final = "kernel.unprivileged_userns_clone"
_MAXIMUM: Final = "user.max_user_namespaces"
_APPARMOR: Final = "kernel.apparmor_restrict_unprivileged_userns"


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """``capabilities`` are the effective ones, a bit each; ``is_filtered``: a seccomp filter applies; ``settings`` are
    those sysctls that exist here."""

    is_root: bool
    capabilities: int
    is_filtered: bool
    settings: dict[str, str]


class Cause(msgspec.Struct, frozen=True):
    """A full sentence without its full stop, and what mends it."""

    reason: str
    remedy: str


def facts() -> Facts:
    """Look at this process and this machine."""
    status = _status()
    names = (_CLONE, _MAXIMUM, _APPARMOR)
    found = {name: _read(f"/proc/sys/{name.replace('.', '/')}") for name in names}
    return Facts(
        is_root=os.geteuid() == 0,
        capabilities=int(status.get("CapEff", "0"), 16),
        is_filtered=status.get("Seccomp", "0") == str(_FILTERED),
        settings={name: value for name, value in found.items() if value},
    )


def needs_user_namespace() -> bool:
    """Whether this process may make other namespaces in a user namespace of its own only: it is not root, or it is that
    of a container."""
    known = facts()
    return not known.is_root or not known.capabilities >> _SYS_ADMIN & 1


def of_no_namespaces(known: Facts, said: str = "") -> Cause:
    """The likeliest cause where making a (user,) mount and pid namespace was refused, and ``unshare`` said that."""
    if "mount /proc" in said or (known.is_root and known.capabilities >> _SYS_ADMIN & 1):
        return Cause(
            "this container may make namespaces, but parts of its /proc are masked, so none can be mounted in them",
            "start it with --security-opt systempaths=unconfined (in Kubernetes: procMount: Unmasked)",
        )
    if known.is_root and not all(known.capabilities >> number & 1 for number in (_SYS_CHROOT, _MKNOD)):
        return Cause(
            "this is root of a container that has taken capabilities away from it",
            "start it with CHOWN, DAC_OVERRIDE, FOWNER, MKNOD, SETGID, SETUID and SYS_CHROOT, as Docker does: steps"
            " then run in a chroot",
        )
    if known.is_root:
        return Cause(
            "this is root of a container without CAP_SYS_ADMIN"
            + (" under a seccomp filter" if known.is_filtered else ""),
            "go on without: steps run in a chroot; or start the container with --security-opt seccomp=unconfined"
            " --security-opt systempaths=unconfined",
        )
    if known.settings.get(_MAXIMUM) == "0":
        return Cause(f"{_MAXIMUM} is 0, so nobody gets a user namespace", f"as root: sysctl -w {_MAXIMUM}=15000")
    if known.settings.get(_CLONE) == "0":
        return Cause(f"{_CLONE} is 0: user namespaces are for root only", f"as root: sysctl -w {_CLONE}=1")
    if known.settings.get(_APPARMOR) == "1":
        return Cause(
            f"{_APPARMOR} is 1: AppArmor lets only programs with a profile make user namespaces that can do something",
            f"as root: sysctl -w {_APPARMOR}=0",
        )
    if known.is_filtered:
        return Cause(
            "a seccomp filter of the container that this runs in forbids user namespaces to its users",
            "start the container with --security-opt seccomp=unconfined --security-opt systempaths=unconfined,"
            " or run as its root: steps then run in a chroot",
        )
    return Cause("the kernel refuses user namespaces to this user", "run as root, or ask the administrator for them")


def of_no_overlay(said: str, *, release: str, kind: str, file_systems: str) -> Cause:
    """The likeliest cause where an overlay could not be mounted or used, and the kernel ``said`` why.

    ``release`` is the kernel's, ``kind`` the type of the file system that the store is on, ``file_systems`` the text
    of /proc/filesystems.
    """
    elsewhere = "set DOCKERCEPTION_HOME to a directory on a local disk (ext4, xfs, btrfs)"
    if kernel_version(release) < OVERLAY_KERNEL:
        return Cause(
            f"Linux {release} is older than 5.11, from which on overlays work without trusted attributes",
            "install a newer kernel; until then files are copied",
        )
    if "\toverlay\n" not in file_systems:
        return Cause("this kernel has no overlay file system loaded", "as root: modprobe overlay")
    if kind in NO_UPPER:
        return Cause(f"the store lies on {kind}, which can't carry an overlay", elsewhere)
    return Cause(f"the kernel says: {said}; the store lies on {kind}", elsewhere)


def kernel_version(release: str) -> tuple[int, int]:
    """The first two numbers of a kernel's release; zeros where there are none."""
    numbers = re.match(r"(\d+)\.(\d+)", release)
    return (int(numbers[1]), int(numbers[2])) if numbers else (0, 0)


def file_system_of(path: str) -> str:
    """The type of the file system that a path is on, from the longest mount point above it."""
    best, kind = "", "unknown"
    with open("/proc/self/mounts", encoding="utf-8", errors="surrogateescape") as file:
        for line in file:
            _, target, found, *_ = line.split(" ")
            target = target.replace("\\040", " ")
            is_above = path == target or path.startswith(target.rstrip("/") + "/")
            if is_above and len(target) >= len(best):
                best, kind = target, found
    return kind


def _status() -> dict[str, str]:
    with open("/proc/self/status", encoding="utf-8", errors="replace") as file:
        pairs = (line.partition(":") for line in file)
        return {name: value.strip() for name, _, value in pairs}


def _read(path: str) -> str:
    try:
        with open(path, encoding="ascii", errors="replace") as file:
            return file.read().strip()
    except OSError:
        return ""
