"""What a container may do: Docker's defaults.  Its system calls are in ``seccomp``."""

from __future__ import annotations

from typing import Final

DEFAULT_CAPABILITIES: Final = (
    "CAP_AUDIT_WRITE",
    "CAP_CHOWN",
    "CAP_DAC_OVERRIDE",
    "CAP_FOWNER",
    "CAP_FSETID",
    "CAP_KILL",
    "CAP_MKNOD",
    "CAP_NET_BIND_SERVICE",
    "CAP_NET_RAW",
    "CAP_SETFCAP",
    "CAP_SETGID",
    "CAP_SETPCAP",
    "CAP_SETUID",
    "CAP_SYS_CHROOT",
)
"""Docker's set.  No device cgroup guards our containers; instead nothing that one can make a device node in lets it be
opened (``nodev`` on the root, on /dev and on every mount of a step), so CAP_MKNOD makes entries of layers, no more."""

MASKED_PATHS: Final = (
    "/proc/acpi",
    "/proc/asound",
    "/proc/interrupts",
    "/proc/kcore",
    "/proc/keys",
    "/proc/kpagecgroup",
    "/proc/kpagecount",
    "/proc/kpageflags",
    "/proc/latency_stats",
    "/proc/sched_debug",
    "/proc/scsi",
    "/proc/timer_list",
    "/proc/timer_stats",
    "/sys/devices/virtual/powercap",
    "/sys/firmware",
)
"""Docker's, and the three that show every page of the machine's memory to any root."""
READONLY_PATHS: Final = ("/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger")


def capabilities(wanted: tuple[str, ...] | None, uid: int) -> dict[str, list[str]]:
    """The sets of capabilities(7) for a process.  Only root starts with some; others may gain them by a program's."""
    names = sorted(DEFAULT_CAPABILITIES if wanted is None else wanted)
    own = names if uid == 0 else []
    return {"bounding": names, "effective": own, "permitted": own, "inheritable": [], "ambient": []}
