"""Ways through the kernel: system calls for administrators, namespaces, mounts, handles, other machine codes."""

import ctypes
import mmap
import os
import signal
import socket
import struct
import tempfile

from escape.attempts.common import CALLS, CANARY, DENIED, IS_ARM, LIBC, Tries, call, in_child, reads_canary

_NAMESPACES = {"mount": 0x20000, "cgroup": 0x2000000, "uts": 0x4000000, "ipc": 0x8000000, "user": 0x10000000,
               "pid": 0x20000000, "net": 0x40000000}  # fmt: skip
# Allowed to every program, or tried below where success can be told from a refusal.
_ELSEWHERE = ("clone", "clone3", "unshare", "setns", "ptrace", "process_vm_readv", "pidfd_open", "name_to_handle_at")


def system_calls() -> Tries:
    """calls for administrators and debuggers, from mount to kexec, io_uring, bpf, keyrings and userfaultfd"""
    for name, numbers in CALLS.items():
        if name not in _ELSEWHERE and numbers[IS_ARM]:
            # With arguments that can do no harm; past the filter they fail in another way, or work.
            yield name, call(name, -1, 0, 0, 0, 0) not in DENIED
    yield "clone3", call("clone3", 0, 0) not in DENIED


def other_machine_codes() -> Tries:
    """the same calls by the numbers of 32-bit programs and of x32, which a filter may have forgotten"""
    if IS_ARM:
        return
    for name in ("mount", "unshare", "keyctl", "bpf"):
        ctypes.set_errno(0)
        result = LIBC.syscall(0x40000000 | CALLS[name][0], ctypes.c_long(-1), 0, 0, 0, 0)
        yield f"x32 {name}", result >= 0 or ctypes.get_errno() not in DENIED
    for name, number in {"mount": 21, "unshare": 310, "keyctl": 288, "bpf": 357, "io_uring_setup": 425}.items():
        yield f"32-bit {name}", _interrupt(number) not in DENIED


def _interrupt(number: int) -> int:
    """The error of a system call by interrupt 0x80 whose arguments are 0; 0 where it succeeds."""
    # mov eax, number; xor ebx..edi: push rbx first, for it is the caller's.
    code = b"\x53\x31\xdb\x31\xc9\x31\xd2\x31\xf6\x31\xff\xb8" + struct.pack("<I", number) + b"\xcd\x80\x5b\xc3"
    page = mmap.mmap(-1, mmap.PAGESIZE, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
    page.write(code)
    address = ctypes.addressof(ctypes.c_char.from_buffer(page))
    result = ctypes.CFUNCTYPE(ctypes.c_int)(address)()
    return -result if result < 0 else 0


def new_namespaces() -> Tries:
    """unshare and clone of each kind of namespace, and setns to those of the container's first process"""
    for name, flag in _NAMESPACES.items():
        yield f"unshare {name}", in_child(lambda given: call("unshare", given) == 0, flag)
        yield f"clone {name}", _clones(flag)
    for kind in ("mnt", "pid", "net", "user", "uts", "ipc", "cgroup"):
        try:
            descriptor = os.open(f"/proc/1/ns/{kind}", os.O_RDONLY)
        except PermissionError:
            yield f"setns {kind}", False
            continue
        yield f"setns {kind}", call("setns", descriptor, 0) == 0
        os.close(descriptor)


def _clones(flag: int) -> bool:
    pid = LIBC.syscall(CALLS["clone"][IS_ARM], ctypes.c_long(flag | signal.SIGCHLD), 0, 0, 0, 0)
    if pid == 0:
        os._exit(0)
    if pid > 0:
        os.waitpid(pid, 0)
    return bool(pid > 0)


def mounts() -> Tries:
    """mounts of every kind that shows the machine, and taking read-only or covers off what is mounted"""
    here = tempfile.mkdtemp().encode()
    kinds = ("tmpfs", "proc", "sysfs", "overlay", "cgroup", "cgroup2", "debugfs", "tracefs", "securityfs", "bpf",
             "devpts", "devtmpfs", "mqueue", "binfmt_misc", "ramfs")  # fmt: skip
    tries: list[tuple[str, bytes, bytes, bytes, int]] = [
        (kind, kind.encode(), here, kind.encode(), 0) for kind in kinds
    ]
    tries += [
        ("bind", b"/proc", here, b"", 4096),
        ("writable /proc/sys", b"", b"/proc/sys", b"", 4096 | 32),
        ("writable /sys", b"", b"/sys", b"", 4096 | 32),
        ("writable read-only mount", b"", b"/usr", b"", 4096 | 32),
        ("shared root", b"", b"/", b"", 1 << 20),
        ("root with devices", b"", b"/", b"", 32),
    ]
    for what, source, target, kind, flags in tries:
        is_mounted = LIBC.mount(source, target, kind, ctypes.c_ulong(flags), None) == 0
        if is_mounted and target == here:
            LIBC.umount2(target, 2)
        yield what, is_mounted
    for covered in (b"/proc/kcore", b"/proc/keys", b"/proc/sys", b"/proc/timer_list", b"/sys/firmware"):
        yield f"uncover {covered.decode()}", LIBC.umount2(covered, 2) == 0
    os.rmdir(here)


def handles() -> Tries:
    """files by their handles: numbers of inodes, of which 2 is the root of many file systems"""
    descriptor = os.open("/", os.O_RDONLY)
    for inode in (*range(1, 40), 128, 256):
        handle = struct.pack("<Ii8s", 8, 1, struct.pack("<II", inode, 0))
        buffer = ctypes.create_string_buffer(handle)
        yield f"inode {inode}", LIBC.syscall(CALLS["open_by_handle_at"][IS_ARM], descriptor, buffer, 0) >= 0
    os.close(descriptor)


def out_of_a_chroot() -> Tries:
    """leaving the root directory by one below it, which works wherever it is only a chroot"""
    yield "chroot", in_child(_leaves)


def _leaves() -> bool:
    below = tempfile.mkdtemp()
    above = os.open("/", os.O_RDONLY)
    os.chroot(below)
    os.fchdir(above)
    os.rmdir(below.lstrip("/"))
    for _ in range(64):
        os.chdir("..")
    os.chroot(".")
    return reads_canary(CANARY)


def more_capabilities() -> Tries:
    """capabilities that Docker's default set lacks: had already, or raised"""
    with open("/proc/self/status") as file:
        sets = {line.split(":")[0]: int(line.split()[1], 16) for line in file if line.startswith("Cap")}
    docker = 0xA80425FB
    for name, had in sets.items():
        yield name, bool(had & ~docker)
    for number in range(41):
        if not docker >> number & 1:
            header = struct.pack("<II", 0x20080522, 0)
            low, high = 1 << number & 0xFFFFFFFF, 1 << number >> 32
            data = struct.pack("<6I", low, low, low, high, high, high)
            yield f"capability {number}", in_child(_raises, header, data)


def _raises(header: bytes, data: bytes) -> bool:
    return bool(LIBC.capset(header, data) == 0)


def sockets() -> Tries:
    """sockets to the host of a virtual machine, and to parts of the kernel that only administrators talk to"""
    for name, family, kind, protocol in (("vsock", 40, 1, 0), ("audit", 16, 3, 9), ("tipc", 30, 1, 0)):
        try:
            with socket.socket(family, kind, protocol) as made:
                if name != "audit":
                    yield name, True
                    continue
                # AUDIT_SET, with nothing set: an answer of 0 means that we may.
                made.sendto(struct.pack("<IHHII40x", 56, 1001, 5, 1, 0), (0, 0))
                made.settimeout(1)
                yield name, struct.unpack("<i", made.recv(4096)[16:20])[0] == 0
        except OSError:
            yield name, False


ATTEMPTS = (
    system_calls, other_machine_codes, new_namespaces, mounts, handles, out_of_a_chroot, more_capabilities, sockets,
)  # fmt: skip
