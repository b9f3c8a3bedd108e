"""What ``RUN --security=insecure`` adds to a container: all that this namespace may, and devices of the machine."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

DEVICES: Final = ("cuse", "fuse", "kmsg", "kvm", "loop-control", *(f"loop{number}" for number in range(8)), "net/tun")
"""Device nodes that BuildKit shows too, where the machine has them."""

_NAMES: Final = (
    "CHOWN DAC_OVERRIDE DAC_READ_SEARCH FOWNER FSETID KILL SETGID SETUID SETPCAP LINUX_IMMUTABLE NET_BIND_SERVICE"
    " NET_BROADCAST NET_ADMIN NET_RAW IPC_LOCK IPC_OWNER SYS_MODULE SYS_RAWIO SYS_CHROOT SYS_PTRACE SYS_PACCT SYS_ADMIN"
    " SYS_BOOT SYS_NICE SYS_RESOURCE SYS_TIME SYS_TTY_CONFIG MKNOD LEASE AUDIT_WRITE AUDIT_CONTROL SETFCAP MAC_OVERRIDE"
    " MAC_ADMIN SYSLOG WAKE_ALARM BLOCK_SUSPEND AUDIT_READ PERFMON BPF CHECKPOINT_RESTORE"
)
"""By number, as in linux/capability.h."""


def numbers(capabilities: Iterable[str]) -> frozenset[int]:
    """The numbers of capabilities by their names, ``CAP_CHOWN`` and so on; a name that is none counts for nothing."""
    wanted = set(capabilities)
    return frozenset(number for number, name in enumerate(_NAMES.split()) if f"CAP_{name}" in wanted)


def capabilities() -> tuple[str, ...]:
    """The names of all capabilities that this process may hand on (its bounding set, capabilities(7))."""
    with open("/proc/self/status", encoding="ascii", errors="replace") as file:
        bounding = next(int(line.split()[1], 16) for line in file if line.startswith("CapBnd:"))
    return tuple(f"CAP_{name}" for number, name in enumerate(_NAMES.split()) if bounding >> number & 1)
