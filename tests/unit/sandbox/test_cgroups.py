"""Which trees of control groups there are, from what the kernel says of its mounts and of this process."""

from __future__ import annotations

import pytest

from dockerception.errors import MachineError
from dockerception.limits import Limits
from dockerception.sandbox import cgroups, ladders
from dockerception.sandbox.cgroups import Tree
from dockerception.sandbox.messages import Abilities, Ability

V1 = "cgroup /c/cpu,cpuacct cgroup rw,cpu,cpuacct 0 0\ncgroup /c/memory cgroup rw,memory 0 0\n"
V2 = "cgroup2 /sys/fs/cgroup cgroup2 rw,nsdelegate 0 0\n"


def test_one_tree_for_each_controller_and_one_for_all() -> None:
    own = "9:cpu,cpuacct:/a\n4:memory:/b/c\n0::/u\n"
    assert cgroups.trees("ext4 / ext4 rw 0 0\n" + V1 + V2, own) == {
        "cpu": Tree("/c/cpu,cpuacct", "/a", 1),
        "cpuacct": Tree("/c/cpu,cpuacct", "/a", 1),
        "memory": Tree("/c/memory", "/b/c", 1),
        "": Tree("/sys/fs/cgroup", "/u", 2),
    }


def test_nothing_is_mounted() -> None:
    assert cgroups.trees("ext4 / ext4 rw 0 0\n", "0::/\n") == {}


def test_what_can_not_be_limited_is_refused_first() -> None:
    works, reason = Ability(works=True), "Steps can't be limited here (--cpus): why."
    abilities = Abilities(
        key="",
        helper=works,
        overlay=works,
        chroot=works,
        subordinate_ids=works,
        runtimes=(),
        cgroups="v2",
        limits={"memory": works, "cpus": Ability(works=False, reason=reason, remedy="do")},
    )
    ladders.check_limits(Limits(memory=1, timeout=1.0), abilities)
    with pytest.raises(MachineError, match="--cpus") as raised:
        ladders.check_limits(Limits(memory=1, cpus=0.5), abilities)
    assert raised.value.hint == "do"
