"""What a process tries in order to get out of its container.  Run inside by any Python 3; prints a JSON object.

Each attempt says what it got hold of; one that got nothing is left out.  ``python attempts.py CANARY SOCKET KEY``: a
file of the machine that holds ``canary-of-the-machine``, an abstract unix socket that somebody listens on there, and
the key of a shared memory segment.  Nothing here changes a machine on which an attempt succeeds.
"""

import ctypes
import errno
import json
import os
import platform
import re
import signal
import socket
import stat
import struct
import sys

CANARY, SOCKET, KEY = sys.argv[1:]
MARK = b"canary-of-the-machine"
LIBC = ctypes.CDLL(None, use_errno=True)
DENIED = (errno.EPERM, errno.ENOSYS)

# Numbers on x86_64 and aarch64; the kernel gave later ones to both alike.
CALLS = {
    "mount": (165, 40), "umount2": (166, 39), "pivot_root": (155, 41), "unshare": (272, 97), "setns": (308, 268),
    "swapon": (167, 224), "reboot": (169, 142), "init_module": (175, 105), "delete_module": (176, 106),
    "kexec_load": (246, 104), "add_key": (248, 217), "request_key": (249, 218), "keyctl": (250, 219),
    "perf_event_open": (298, 241), "open_by_handle_at": (304, 265), "finit_module": (313, 273), "bpf": (321, 280),
    "userfaultfd": (323, 282), "quotactl": (179, 60), "acct": (163, 89), "settimeofday": (164, 170),
    "syslog": (103, 116), "sethostname": (170, 161), "fanotify_init": (300, 262), "move_pages": (279, 239),
    "io_uring_setup": (425, 425), "open_tree": (428, 428), "move_mount": (429, 429), "fsopen": (430, 430),
    "fspick": (433, 433), "clone3": (435, 435), "pidfd_getfd": (438, 438), "mount_setattr": (442, 442),
}  # fmt: skip
SECOND = platform.machine() == "aarch64"


def call(name: str, *arguments: int) -> int:
    """A system call with harmless arguments: the number of its error, 0 where it succeeded."""
    result = LIBC.syscall(CALLS[name][SECOND], *(ctypes.c_long(each) for each in arguments))
    return 0 if result >= 0 else ctypes.get_errno()


def system_calls() -> list[str]:
    """Calls that get past the filter: with arguments that can do no harm they then fail in another way, or work."""
    reached = []
    for name in CALLS:
        if name not in ("clone3", "unshare", "setns") and call(name, -1, 0, 0, 0, 0) not in DENIED:
            reached.append(name)
    if call("clone3", 0, 0) not in DENIED:
        reached.append("clone3")
    return reached


def new_namespaces() -> list[str]:
    got = []
    for name, flag in (("user", 0x10000000), ("mount", 0x20000), ("pid", 0x20000000), ("cgroup", 0x02000000)):
        child = os.fork()
        if child == 0:
            os._exit(0 if call("unshare", flag) == 0 else 1)
        if os.waitpid(child, 0)[1] == 0:
            got.append(f"unshare {name}")
    pid = LIBC.syscall(56 if not SECOND else 220, 0x10000000 | signal.SIGCHLD, 0, 0, 0, 0)
    if pid == 0:
        os._exit(0)
    if pid > 0:
        os.waitpid(pid, 0)
        got.append("clone user")
    for kind in ("mnt", "pid", "net", "user", "uts", "ipc"):
        descriptor = os.open(f"/proc/1/ns/{kind}", os.O_RDONLY)
        if call("setns", descriptor, 0) == 0:
            got.append(f"setns {kind}")
        os.close(descriptor)
    return got


def reads_canary(path: str) -> bool:
    try:
        with open(path, "rb") as file:
            return MARK in file.read(100)
    except OSError:
        return False


def files_of_the_machine() -> list[str]:
    prefixes = ["", "/..", "/../../../..", "/proc/1/root", "/proc/self/root/..", "/proc/1/cwd/../../../../.."]
    prefixes += [f"/proc/{pid}/root" for pid in os.listdir("/proc") if pid.isdigit()]
    return [prefix + CANARY for prefix in prefixes if reads_canary(prefix + CANARY)]


def files_behind_descriptors() -> list[str]:
    """Descriptors that nobody meant to give us, and what lies behind them."""
    got = []
    for pid in ("self", "1"):
        for number in os.listdir(f"/proc/{pid}/fd"):
            path = f"/proc/{pid}/fd/{number}"
            try:
                target = os.readlink(path)
            except OSError:
                continue
            if int(number) > 2 and not (pid == "self" and target.startswith(f"/proc/{os.getpid()}/fd")):
                got.append(f"{path} -> {target}")
            if reads_canary(f"{path}/{CANARY}") or reads_canary(f"{path}/../../../../..{CANARY}"):
                got.append(f"{path} leads to the canary")
    return got


def out_of_a_chroot() -> list[str]:
    """Leave the root directory by one below it, which works wherever it is only a chroot."""
    child = os.fork()
    if child == 0:
        try:
            os.makedirs("/tmp/below", exist_ok=True)
            above = os.open("/", os.O_RDONLY)
            os.chroot("/tmp/below")
            os.fchdir(above)
            for _ in range(64):
                os.chdir("..")
            os.chroot(".")
            os._exit(0 if reads_canary(CANARY) else 1)
        except OSError:
            os._exit(1)
    return ["chroot"] if os.waitpid(child, 0)[1] == 0 else []


def writable_places() -> list[str]:
    """Files through which the whole machine listens, opened for writing; nothing is written."""
    paths = [
        "/proc/sys/kernel/core_pattern", "/proc/sys/kernel/modprobe", "/proc/sysrq-trigger", "/proc/sys/vm/drop_caches",
        "/proc/sys/fs/binfmt_misc/register", "/proc/irq/default_smp_affinity", "/sys/power/state",
        "/sys/kernel/uevent_helper",
        "/sys/fs/cgroup/release_agent", "/sys/fs/cgroup/cgroup.procs", "/sys/fs/cgroup/pids/release_agent",
    ]  # fmt: skip
    return [path for path in paths if opens(path, os.O_WRONLY)]


def readable_places() -> list[str]:
    return [p for p in ("/proc/kcore", "/dev/mem", "/dev/kmsg", "/proc/kpageflags") if opens(p, os.O_RDONLY)] + [
        path for path in ("/proc/keys", "/proc/timer_list", "/sys/firmware/dmi") if has_content(path)
    ]


def opens(path: str, flags: int) -> bool:
    try:
        descriptor = os.open(path, flags | os.O_NONBLOCK)
    except OSError:
        return False
    os.close(descriptor)
    return not stat.S_ISCHR(os.stat(path).st_mode) or os.stat(path).st_rdev != os.makedev(1, 3)


def has_content(path: str) -> bool:
    try:
        if os.path.isdir(path):
            return bool(os.listdir(path))
        with open(path, "rb") as file:
            return bool(file.read(1))
    except OSError:
        return False


def device_nodes() -> list[str]:
    """Nodes of the machine's memory and of its disks, made in any directory that lets us."""
    with open("/proc/partitions") as file:
        disks = [line.split() for line in list(file)[2:]]
    nodes = [(stat.S_IFCHR, 1, 1), (stat.S_IFCHR, 1, 11), (stat.S_IFCHR, 1, 5)]
    nodes += [(stat.S_IFBLK, int(major), int(minor)) for major, minor, *_ in disks[:4]]
    got = []
    with open("/proc/self/mountinfo") as file:
        folders = {line.split()[4] for line in file}
    for folder in sorted(filter(os.path.isdir, folders)):
        for kind, major, minor in nodes:
            path = f"{folder}/node-{major}-{minor}"
            try:
                os.mknod(path, kind | 0o600, os.makedev(major, minor))
            except OSError:
                continue
            try:
                os.close(os.open(path, os.O_RDONLY | os.O_NONBLOCK))
                got.append(path)
            except OSError:
                pass
            os.unlink(path)
    return got


def mounts() -> list[str]:
    got = []
    os.makedirs("/tmp/here", exist_ok=True)
    for what, source, target, kind, flags in (
        ("bind", b"/proc", b"/tmp/here", b"", 4096),
        ("tmpfs", b"t", b"/tmp/here", b"tmpfs", 0),
        ("proc", b"p", b"/tmp/here", b"proc", 0),
        ("sysfs", b"s", b"/tmp/here", b"sysfs", 0),
        ("overlay", b"o", b"/tmp/here", b"overlay", 0),
        ("writable /proc/sys", b"", b"/proc/sys", b"", 4096 | 32),
        ("writable /sys", b"", b"/sys", b"", 4096 | 32),
        ("writable read-only mount", b"", b"/usr", b"", 4096 | 32),
    ):
        if LIBC.mount(source, target, kind, ctypes.c_ulong(flags), None) == 0:
            got.append(what)
            if target == b"/tmp/here":
                LIBC.umount2(target, 2)
    if LIBC.umount2(b"/proc/kcore", 2) == 0:
        got.append("uncovered /proc/kcore")
    return got


def processes_of_others() -> list[str]:
    """Processes that are neither this one nor the container's first."""
    known = (os.getpid(), 1, os.getppid())
    return [pid for pid in os.listdir("/proc") if pid.isdigit() and int(pid) not in known]


def variables_of_the_machine() -> list[str]:
    got = []
    for pid in ("self", "1"):
        try:
            with open(f"/proc/{pid}/environ", "rb") as file:
                if re.search(rb"CANARY|DOCKERCEPTION|XDG_RUNTIME_DIR|_LIBCONTAINER", file.read()):
                    got.append(pid)
        except OSError:
            pass
    return got


def abstract_socket() -> list[str]:
    with socket.socket(socket.AF_UNIX) as client:
        try:
            client.connect("\0" + SOCKET)
        except OSError:
            return []
    return [SOCKET]


def shared_memory() -> list[str]:
    return [KEY] if LIBC.shmget(int(KEY), 0, 0) >= 0 else []


def other_sockets() -> list[str]:
    got = []
    for name, family in (("vsock", 40), ("packet in another's name", 16)):
        try:
            with socket.socket(family, socket.SOCK_DGRAM if family == 16 else socket.SOCK_STREAM, 0):
                if family == 40:
                    got.append(name)
        except OSError:
            pass
    return got


def writes_to_what_is_read_only() -> list[str]:
    got = []
    for path in ("/usr/bin/env", "/proc/1/exe"):
        try:
            os.close(os.open(path, os.O_WRONLY))
            got.append(path)
        except OSError:
            pass
    try:
        os.link("/usr/bin/env", "/tmp/link")
        got.append("link")
    except OSError:
        pass
    return got


def layers_below() -> list[str]:
    """The directories of the overlay, which the kernel names in the list of mounts."""
    with open("/proc/self/mountinfo") as file:
        named = re.findall(r"(?:upperdir|lowerdir|workdir)=([^,\s]+)", file.read())
    return [path for paths in named for path in paths.split(":") if path.startswith("/") and os.path.exists(path)]


def handles() -> list[str]:
    """Files by their handles: names of inodes, 2 being the root of many file systems."""
    handle = struct.pack("<Ii8s", 8, 1, struct.pack("<II", 2, 0))
    descriptor = os.open("/", os.O_RDONLY)
    buffer = ctypes.create_string_buffer(handle)
    number = LIBC.syscall(CALLS["open_by_handle_at"][SECOND], descriptor, buffer, 0)
    return ["handle"] if number >= 0 else []


ATTEMPTS = (
    files_of_the_machine, files_behind_descriptors, out_of_a_chroot, readable_places, writable_places, device_nodes,
    processes_of_others, variables_of_the_machine, abstract_socket, shared_memory, other_sockets,
    writes_to_what_is_read_only, layers_below, handles, new_namespaces, mounts, system_calls,
)  # fmt: skip

found: dict[str, list[str] | str] = {}
for attempt in ATTEMPTS:
    try:
        if got := attempt():
            found[attempt.__name__] = got
    except OSError as error:
        found[attempt.__name__] = f"the attempt itself failed: {error}"
print(json.dumps(found))
