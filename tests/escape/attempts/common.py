"""What all attempts share: the arguments, system calls by number, opening without harm."""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import stat
import sys
from collections.abc import Callable, Iterator

Tries = Iterator[tuple[str, bool]]
CANARY, SOCKET, KEY = sys.argv[1:4]
MARK = b"canary-of-the-machine"
LIBC = ctypes.CDLL(None, use_errno=True)
DENIED = (errno.EPERM, errno.ENOSYS)
IS_ARM = platform.machine() == "aarch64"

# Numbers on x86_64 and aarch64; the kernel gave later ones to both alike.  0: the machine has no such call.
CALLS = {
    "mount": (165, 40), "umount2": (166, 39), "pivot_root": (155, 41), "unshare": (272, 97), "setns": (308, 268),
    "swapon": (167, 224), "swapoff": (168, 225), "reboot": (169, 142), "init_module": (175, 105),
    "delete_module": (176, 106), "finit_module": (313, 273), "kexec_load": (246, 104), "kexec_file_load": (320, 294),
    "add_key": (248, 217), "request_key": (249, 218), "keyctl": (250, 219), "perf_event_open": (298, 241),
    "open_by_handle_at": (304, 265), "bpf": (321, 280), "userfaultfd": (323, 282), "quotactl": (179, 60),
    "quotactl_fd": (443, 443), "acct": (163, 89), "settimeofday": (164, 170), "clock_settime": (227, 112),
    "syslog": (103, 116), "sethostname": (170, 161), "setdomainname": (171, 162), "vhangup": (153, 58),
    "fanotify_init": (300, 262), "move_pages": (279, 239), "migrate_pages": (256, 238), "kcmp": (312, 272),
    "process_madvise": (440, 440), "lookup_dcookie": (212, 18), "iopl": (172, 0), "ioperm": (173, 0),
    "ustat": (136, 0), "sysfs": (139, 0), "uselib": (134, 0), "io_uring_setup": (425, 425),
    "io_uring_enter": (426, 426), "io_uring_register": (427, 427), "open_tree": (428, 428), "move_mount": (429, 429),
    "fsopen": (430, 430), "fsconfig": (431, 431), "fsmount": (432, 432), "fspick": (433, 433), "clone3": (435, 435),
    "pidfd_getfd": (438, 438), "mount_setattr": (442, 442), "ptrace": (101, 117), "process_vm_readv": (310, 270),
    "pidfd_open": (434, 434), "clone": (56, 220), "name_to_handle_at": (303, 264),
}  # fmt: skip


def call(name: str, *arguments: int) -> int:
    """A system call: the number of its error, 0 where it succeeded."""
    ctypes.set_errno(0)
    result = LIBC.syscall(CALLS[name][IS_ARM], *(ctypes.c_long(each) for each in arguments))
    return 0 if result >= 0 else ctypes.get_errno()


def in_child(action: Callable[..., object], *arguments: object) -> bool:
    """Whether ``action`` returns something true, in a process of its own."""
    child = os.fork()
    if child == 0:
        try:
            os._exit(0 if action(*arguments) else 1)
        except Exception:  # noqa: BLE001  a child must never go on as its parent
            os._exit(1)
    return os.waitpid(child, 0)[1] == 0


def works(action: Callable[..., object], *arguments: object) -> bool:
    """Whether ``action`` raises no error of the system."""
    try:
        action(*arguments)
    except OSError:
        return False
    return True


def reads_canary(path: str) -> bool:
    try:
        with open(path, "rb") as file:
            return MARK in file.read(100)
    except OSError:
        return False


def opens(path: str, flags: int) -> bool:
    """Whether a file can be opened; what is covered by /dev/null does not count.  Nothing is read or written."""
    try:
        descriptor = os.open(path, flags | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return False
    status = os.fstat(descriptor)
    os.close(descriptor)
    return not stat.S_ISCHR(status.st_mode) or status.st_rdev != os.makedev(1, 3)


def has_content(path: str) -> bool:
    try:
        if os.path.isdir(path):
            return bool(os.listdir(path))
        with open(path, "rb") as file:
            return bool(file.read(1))
    except OSError:
        return False


def pids() -> list[str]:
    return [pid for pid in os.listdir("/proc") if pid.isdigit()]
