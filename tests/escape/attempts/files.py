"""Ways through files: the machine's own, those through which the kernel listens, devices, what mounts lead to."""

import errno
import os
import re
import stat

from escape.attempts.common import CANARY, Tries, has_content, opens, pids, reads_canary, works

_DEVICES = {
    (1, 3), (1, 5), (1, 7), (1, 8), (1, 9), (5, 0), (5, 2), (5, 1),
}  # fmt: skip


def files_of_the_machine() -> Tries:
    """a file of the machine by its path, above the root, and by the root of every process that can be seen"""
    prefixes = ["", "/..", "/../../../..", "/proc/1/root", "/proc/self/root/..", "/proc/1/cwd/../../../../.."]
    prefixes += [f"/proc/{pid}/{way}" for pid in pids() for way in ("root", "cwd/../../../../../..", "root/../../..")]
    for prefix in prefixes:
        yield prefix + CANARY, reads_canary(prefix + CANARY)


def files_behind_descriptors() -> Tries:
    """descriptors that nobody meant to give us, in this process and the first one, and what lies behind all of them"""
    for pid in ("self", "1"):
        for number in os.listdir(f"/proc/{pid}/fd"):
            path = f"/proc/{pid}/fd/{number}"
            try:
                target = os.readlink(path)
            except OSError:
                continue
            is_own = pid == "self" and target.startswith(f"/proc/{os.getpid()}/fd")
            yield f"{path} -> {target}", int(number) > 2 and not is_own
            yield f"{path} leads up", reads_canary(f"{path}/{CANARY}") or reads_canary(f"{path}/../../../../..{CANARY}")


def writable_places() -> Tries:
    """every file of /proc/sys, /sys and the control groups, and others through which the machine listens"""
    listed = [
        "/proc/sysrq-trigger", "/proc/irq/default_smp_affinity", "/proc/sys/kernel/core_pattern",
        "/proc/sys/kernel/modprobe", "/proc/sys/vm/drop_caches", "/proc/sys/fs/binfmt_misc/register",
        "/sys/power/state", "/sys/kernel/uevent_helper", "/sys/fs/cgroup/release_agent", "/sys/fs/cgroup/cgroup.procs",
        "/sys/fs/cgroup/pids/release_agent", "/sys/fs/cgroup/notify_on_release", "/proc/mtrr", "/proc/1/ns/mnt",
        "/proc/sys/kernel/hotplug", "/proc/sys/kernel/yama/ptrace_scope", "/proc/sys/user/max_user_namespaces",
    ]  # fmt: skip
    for path in listed:
        yield path, opens(path, os.O_WRONLY)
    for top in ("/proc/sys", "/proc/irq", "/proc/bus", "/proc/fs", "/sys"):
        for above, _, names in os.walk(top):
            for name in names:
                path = f"{above}/{name}"
                if not os.path.islink(path):
                    yield path, opens(path, os.O_WRONLY)


def readable_places() -> Tries:
    """memory, keys, the kernel's log and what else shows other people's work"""
    for path in ("/proc/kcore", "/dev/mem", "/dev/kmsg", "/dev/port", "/proc/kpageflags", "/proc/kpagecount",
                 "/proc/kpagecgroup", "/proc/kmsg"):  # fmt: skip
        yield path, opens(path, os.O_RDONLY)
    for path in ("/proc/keys", "/proc/timer_list", "/proc/sched_debug", "/proc/latency_stats", "/proc/scsi",
                 "/proc/acpi", "/proc/interrupts", "/sys/firmware/dmi", "/sys/firmware/acpi", "/sys/kernel/debug",
                 "/sys/kernel/security", "/sys/kernel/tracing", "/sys/fs/bpf", "/sys/fs/pstore"):  # fmt: skip
        yield path, has_content(path)


def device_nodes() -> Tries:
    """nodes of the machine's memory and disks, made in every directory that something is mounted on"""
    with open("/proc/partitions") as file:
        disks = [line.split() for line in list(file)[2:]]
    nodes = [(stat.S_IFCHR, 1, 1), (stat.S_IFCHR, 1, 2), (stat.S_IFCHR, 1, 11), (stat.S_IFCHR, 1, 5)]
    nodes += [(stat.S_IFBLK, int(major), int(minor)) for major, minor, *_ in disks[:4]]
    with open("/proc/self/mountinfo") as file:
        folders = {line.split()[4] for line in file}
    for folder in sorted(filter(os.path.isdir, folders)):
        for kind, major, minor in nodes:
            path = f"{folder}/node-{major}-{minor}"
            yield path, _makes(path, kind, major, minor)


def _makes(path: str, kind: int, major: int, minor: int) -> bool:
    try:
        os.mknod(path, kind | 0o600, os.makedev(major, minor))
    except OSError:
        return False
    is_open = opens(path, os.O_RDONLY)
    os.unlink(path)
    return is_open


def devices_given() -> Tries:
    """device nodes in /dev besides those that every program expects"""
    for above, _, names in os.walk("/dev"):
        for name in names:
            status = os.lstat(f"{above}/{name}")
            if stat.S_ISCHR(status.st_mode) or stat.S_ISBLK(status.st_mode):
                number = (os.major(status.st_rdev), os.minor(status.st_rdev))
                is_expected = stat.S_ISCHR(status.st_mode) and (number in _DEVICES or number[0] == 136)
                yield f"{above}/{name}", not is_expected


def terminals() -> Tries:
    """the terminal that the build was started from, and characters typed into it (TIOCSTI)"""
    import fcntl
    import termios

    try:
        terminal = os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY)
    except OSError:
        yield "/dev/tty", False
    else:
        yield "/dev/tty", os.readlink(f"/proc/self/fd/{terminal}") == "/dev/tty" and not os.isatty(0)
        os.close(terminal)
    for descriptor in range(3):
        try:
            fcntl.ioctl(descriptor, termios.TIOCSTI, b"\0")
            yield f"typed into descriptor {descriptor}", True
        except OSError:
            yield f"typed into descriptor {descriptor}", False


def writes_to_what_is_read_only() -> Tries:
    """writing to the program that runs and to every read-only mount; where it succeeds it is taken back at once"""
    for path in ("/proc/1/exe", "/proc/self/exe"):
        yield path, opens(path, os.O_WRONLY)
    with open("/proc/self/mountinfo") as file:
        rows = [line.split() for line in file]
    targets = [row[4] for row in rows if "ro" in row[5].split(",") and not row[4].startswith(("/proc", "/sys"))]
    if reads_canary(CANARY):
        targets.append(os.path.dirname(CANARY))  # outside of any container, where the attempts have to succeed
    for target in targets:
        if not os.path.isdir(target) and not os.path.isfile(target):
            continue
        if os.path.isdir(target):
            yield f"{target}/made", works(_makes_and_removes, f"{target}/made-inside")
        else:
            yield target, opens(target, os.O_WRONLY)
        yield f"mode of {target}", works(os.chmod, target, stat.S_IMODE(os.stat(target).st_mode))
        yield f"attribute of {target}", _says_none(target)


def _makes_and_removes(path: str) -> None:
    os.mkdir(path)
    os.rmdir(path)


def _says_none(path: str) -> bool:
    """Whether removing an attribute gets as far as looking for it."""
    try:
        os.removexattr(path, "user.never-set")
    except OSError as error:
        return error.errno == errno.ENODATA
    return True


def layers_below() -> Tries:
    """the directories of the layers and of others' caches, by the names in the list of mounts"""
    with open("/proc/self/mountinfo") as file:
        text = file.read()
    named = re.findall(r"(?:upperdir|lowerdir|workdir)=([^,\s]+)", text)
    for path in [path for paths in named for path in paths.split(":")]:
        yield path, path.startswith("/") and os.path.exists(path)
    for line in text.splitlines():
        source, target = line.split()[3:5]
        yield f"{source} as a path", source not in ("/", target) and os.path.exists(source) and len(source) > 12


def caches_of_others() -> Tries:
    """out of a cache's directory: up, by links made in it, and by taking its place"""
    if not os.path.isdir("/cache"):
        return
    inside = os.open("/cache", os.O_RDONLY)
    for up in ("..", "../other", "../../caches/other", "../../trees"):
        yield up, "kept" in _list(f"{up}", inside) or "busybox" in _list(f"{up}", inside)
    for name, target in (("link", "../other"), ("absolute", os.path.dirname(CANARY) + "/store/caches/other")):
        yield name, works(_links, name, target)
    yield "rename", works(os.rename, "/cache", "/cache-2")
    yield "remove", works(os.rmdir, "/cache")
    os.close(inside)


def _links(name: str, target: str) -> None:
    os.symlink(target, f"/cache/{name}")
    try:
        os.stat(f"/cache/{name}/kept")
    finally:
        os.unlink(f"/cache/{name}")


def _list(path: str, below: int) -> list[str]:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY, dir_fd=below)
    except OSError:
        return []
    names = os.listdir(descriptor)
    os.close(descriptor)
    return names


ATTEMPTS = (
    files_of_the_machine, files_behind_descriptors, writable_places, readable_places, device_nodes, devices_given,
    terminals, writes_to_what_is_read_only, layers_below, caches_of_others,
)  # fmt: skip
