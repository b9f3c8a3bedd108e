"""Ways through other processes: by their numbers, by what they listen on, by memory and variables that they share."""

import ctypes
import errno
import os
import re
import socket
import struct

from escape.attempts.common import CALLS, IS_ARM, KEY, LIBC, SOCKET, Tries, call, in_child, pids

_NUMBERS = 4096
_SEIZE = 0x4206  # PTRACE_SEIZE, which stops nobody


def processes_of_others() -> Tries:
    """processes that are neither this one nor the container's first, in /proc"""
    known = (os.getpid(), 1, os.getppid())
    for pid in pids():
        yield f"process {pid}", int(pid) not in known


def processes_by_number() -> Tries:
    """ptrace, signals, pidfds and memory of process numbers, whether they can be seen or not"""
    own = {os.getpid(), 1, os.getppid()}
    reached = [number for number in range(2, _NUMBERS) if number not in own and _is_there(number)]
    yield f"signals to {_NUMBERS} numbers", bool(reached)
    for number in [*reached[:20], *range(2, _NUMBERS, 97)]:
        if number not in own:
            yield f"pidfd of {number}", call("pidfd_open", number, 0) == 0
            yield f"memory of {number}", _reads(number)
            yield f"ptrace of {number}", in_child(lambda given: call("ptrace", _SEIZE, given, 0, 0) == 0, number)


def _is_there(number: int) -> bool:
    try:
        os.kill(number, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True


def _reads(number: int) -> bool:
    """Whether memory can be read: that nothing is at an address is said only to who may."""
    buffer = ctypes.create_string_buffer(8)
    near = struct.pack("<QQ", ctypes.addressof(buffer), 8)
    far = struct.pack("<QQ", 8, 8)
    ctypes.set_errno(0)
    result = LIBC.syscall(CALLS["process_vm_readv"][IS_ARM], number, near, 1, far, 1, 0)
    return result >= 0 or ctypes.get_errno() == errno.EFAULT


def variables_of_the_machine() -> Tries:
    """variables of the build's own environment, in those of this process and of the first one"""
    for pid in ("self", "1"):
        try:
            with open(f"/proc/{pid}/environ", "rb") as file:
                yield pid, re.search(rb"CANARY|DOCKERCEPTION|XDG_RUNTIME_DIR|_LIBCONTAINER", file.read()) is not None
        except OSError:
            yield pid, False


def abstract_sockets() -> Tries:
    """abstract unix sockets that processes of the machine listen on, by a known name and by those in /proc"""
    yield SOCKET, _connects("\0" + SOCKET)
    with open("/proc/net/unix") as file:
        names = {line.split()[-1] for line in list(file)[1:] if "@" in line}
    for name in sorted(names - {f"@{SOCKET}"}):
        yield name, _connects("\0" + name[1:])


def _connects(address: str) -> bool:
    with socket.socket(socket.AF_UNIX) as client:
        try:
            client.connect(address)
        except OSError:
            return False
    return True


def sockets_in_files() -> Tries:
    """sockets of daemons and of the build's helper, where they usually are"""
    places = (
        "docker.sock", "containerd/containerd.sock", "buildkit/buildkitd.sock", "podman/podman.sock",
        "dbus/system_bus_socket", "systemd/private", "systemd/journal/dev-log", "crio/crio.sock",
    )  # fmt: skip
    for place in places:
        yield f"/run/{place}", _connects(f"/run/{place}")


def shared_memory() -> Tries:
    """System V shared memory, semaphores and messages of the machine"""
    yield f"memory {KEY}", LIBC.shmget(int(KEY), 0, 0) >= 0
    for name in ("shm", "sem", "msg"):
        with open(f"/proc/sysvipc/{name}") as file:
            yield name, len(list(file)) > 1


def keyrings() -> Tries:
    """keys of the session that the build belongs to: they would stay when it ends"""
    for name, number in (("thread", -1), ("process", -2), ("session", -3), ("user", -4), ("user session", -5)):
        yield name, LIBC.syscall(CALLS["keyctl"][IS_ARM], 0, number, 0, 0, 0) >= 0


ATTEMPTS = (
    processes_of_others, processes_by_number, variables_of_the_machine, abstract_sockets, sockets_in_files,
    shared_memory, keyrings,
)  # fmt: skip
