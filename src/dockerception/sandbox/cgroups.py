"""Control groups of containers (cgroups(7)): made by the worker, entered by the container's first process before its
program starts, removed when it has ended.

Version 1 has a tree for each controller, version 2 one for all; a machine may have both.  A group is made below the
worker's own where that is allowed, else below the next one above it: in version 2 a group that hands controllers on may
hold no processes.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Iterator, Mapping
from typing import Final

import msgspec

from ..errors import MachineError

CONTROLLERS: Final = {"memory": "memory", "cpus": "cpu", "pids": "pids"}
"""The controller for each limit of ``Limits.grouped``."""

_PERIOD: Final = 100_000  # microseconds: of this, a group gets its share of processor time
_PREFIX: Final = "dockerception-"
_ABANDONED: Final = 60.0  # seconds after which an empty group of ours is nobody's any more


class Tree(msgspec.Struct, frozen=True):
    """A mounted hierarchy: its directory, this process's group in it (``/a/b``), and its version."""

    mount: str
    own: str
    version: int


class Group(msgspec.Struct, frozen=True):
    """A group that was made, by a path of its directory that is good as long as the process that made it."""

    path: str
    version: int

    @property
    def processes(self) -> str:
        """The file that takes the pid of a process that is to enter."""
        return f"{self.path}/cgroup.procs"


def make(limits: Mapping[str, float], name: str) -> list[Group]:
    """Make the groups for ``Limits.grouped``, called after ``name``, with their limits set.

    Raises ``MachineError`` that says which limit can't be set on this machine, and why; then none is left.
    """
    made: dict[str, Group] = {}
    try:
        for limit, value in limits.items():
            tree = _tree_of(CONTROLLERS[limit])
            if tree.mount not in made:
                made[tree.mount] = _make_in(tree, limit, name)
            _set(made[tree.mount], limit, value)
    except OSError as error:
        remove(made.values())
        raise _cannot(limit, f"{error.filename}: {error.strerror}") from error
    except MachineError:
        remove(made.values())
        raise
    return [_held(group) for group in made.values()]


def enter(groups: Iterable[Group]) -> None:
    """Put this process into the groups."""
    for group in groups:
        _write(group.processes, "0")


def has_run_out_of_memory(groups: Iterable[Group]) -> bool:
    """Whether the kernel has killed a process of a group because its memory was used up."""
    for group in groups:
        name = "memory.events" if group.version == 2 else "memory.oom_control"
        words = _read(f"{group.path}/{name}").split()
        if "oom_kill" in words and words[words.index("oom_kill") + 1] != "0":
            return True
    return False


def remove(groups: Iterable[Group]) -> None:
    """Remove groups whose processes have ended."""
    for group in groups:
        for _ in range(50):
            try:
                os.rmdir(group.path)
            except FileNotFoundError:
                break
            except OSError:
                time.sleep(0.01)  # the kernel takes a moment to let go of the last process
            else:
                break


def trees(mounts: str, own: str) -> dict[str, Tree]:
    """The tree of each controller, from texts like /proc/self/mounts and /proc/self/cgroup; ``""`` is version 2's."""
    found: dict[str, Tree] = {}
    groups = {controllers: path for _, controllers, path in (line.split(":", 2) for line in own.splitlines())}
    for line in mounts.splitlines():
        _, target, kind, options, *_ = line.split(" ")
        if kind == "cgroup2" and "" in groups:
            found.setdefault("", Tree(target, groups[""], 2))
        elif kind == "cgroup":
            for controllers, path in groups.items():
                if controllers and set(controllers.split(",")) <= set(options.split(",")):
                    for controller in controllers.split(","):
                        found.setdefault(controller, Tree(target, path, 1))
    return found


def _held(group: Group) -> Group:
    """The same group by a path that also leads there when something is mounted over the control groups."""
    above, _, name = group.path.rpartition("/")
    descriptor = os.open(above, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    return Group(f"/proc/{os.getpid()}/fd/{descriptor}/{name}", group.version)


def _tree_of(controller: str) -> Tree:
    found = trees(_read("/proc/self/mounts"), _read("/proc/self/cgroup"))
    tree = found.get(controller) or found.get("")
    if tree is None:
        raise OSError(2, "no control groups are mounted", "/sys/fs/cgroup")
    if tree.version == 2 and controller not in _read(f"{tree.mount}/cgroup.controllers").split():
        raise OSError(2, f"there is no controller “{controller}”", tree.mount)
    return tree


def _make_in(tree: Tree, limit: str, name: str) -> Group:
    """The first group on the way up from our own that takes one below it."""
    problem = OSError(1, "no group above takes another", tree.mount)
    for above in _upwards(tree):
        if tree.version == 2 and CONTROLLERS[limit] not in _read(f"{above}/cgroup.subtree_control").split():
            problem = OSError(1, f"does not hand on the controller “{CONTROLLERS[limit]}”", above)
            continue
        _sweep(above)
        path = f"{above}/{_PREFIX}{name}"
        try:
            os.mkdir(path)
        except OSError as error:
            problem = error
            continue
        if tree.version == 1 or _takes_processes(path):
            return Group(path, tree.version)
        os.rmdir(path)
        problem = OSError(1, "no process may be moved there", above)
    raise problem


def _takes_processes(path: str) -> bool:
    """Whether a process of ours may enter: it takes the right to write to the nearest group above both."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            _write(f"{path}/cgroup.procs", "0")
            code = 0
        finally:
            os._exit(code)
    return os.waitpid(child, 0)[1] == 0


def _upwards(tree: Tree) -> Iterator[str]:
    path = tree.own.rstrip("/")
    while True:
        if os.path.isdir(f"{tree.mount}{path}"):  # a container sees its own part of the tree only
            yield f"{tree.mount}{path}"
        if not path:
            return
        path = path.rpartition("/")[0]


def _sweep(above: str) -> None:
    """Remove empty groups of containers whose worker was killed."""
    with os.scandir(above) as entries:
        old = [each.path for each in entries if each.name.startswith(_PREFIX) and _age(each) > _ABANDONED]
    for path in old:
        try:
            os.rmdir(path)
        except OSError:
            pass  # it has processes, or somebody was faster


def _age(entry: os.DirEntry[str]) -> float:
    try:
        return time.time() - entry.stat().st_mtime
    except FileNotFoundError:
        return 0.0


def _set(group: Group, limit: str, value: float) -> None:
    is_v2 = group.version == 2
    if limit == "memory":
        _write(f"{group.path}/{'memory.max' if is_v2 else 'memory.limit_in_bytes'}", str(int(value)))
        # As much swap again, as with Docker; a kernel may count none.
        swap = f"{group.path}/{'memory.swap.max' if is_v2 else 'memory.memsw.limit_in_bytes'}"
        if os.path.exists(swap):
            _write(swap, str(int(value) * (1 if is_v2 else 2)))
    elif limit == "pids":
        _write(f"{group.path}/pids.max", str(int(value)))
    else:
        quota = max(1000, int(value * _PERIOD))  # the kernel's least
        if is_v2:
            _write(f"{group.path}/cpu.max", f"{quota} {_PERIOD}")
        else:
            _write(f"{group.path}/cpu.cfs_period_us", str(_PERIOD))
            _write(f"{group.path}/cpu.cfs_quota_us", str(quota))


def _cannot(limit: str, why: str) -> MachineError:
    option = "--pids-limit" if limit == "pids" else f"--{limit}"
    remedy = (
        "run as root, or have systemd delegate control groups to this user (Delegate=yes; systemd-run --user --scope)"
        if os.geteuid() or not _maps_all()
        else "mount cgroup2 with the controllers cpu, memory and pids, or start the container with --cgroupns=host -v"
        " /sys/fs/cgroup:/sys/fs/cgroup:rw"
    )
    return MachineError(f"Steps can't be limited here ({option}): {why}.", hint=f"leave {option} out; or {remedy}")


def _maps_all() -> bool:
    return _read("/proc/self/uid_map").split()[2:3] == ["4294967295"]


def _write(path: str, text: str) -> None:
    with open(path, "w", encoding="ascii") as file:
        file.write(text)


def _read(path: str) -> str:
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read()
    except OSError:
        return ""
