"""Limits of a run: control groups of whatever version this machine has, time, and those of setrlimit(2)."""

from __future__ import annotations

import glob
import os
import signal
import time
from pathlib import Path

import pytest

from dockerception.limits import UNLIMITED, Limits, Ulimit
from dockerception.sandbox.client import Sandbox
from dockerception.sandbox.messages import RunRequest
from support.tools import give_up, need

from .conftest import Lab

MEBIBYTE = 1 << 20


@pytest.fixture(params=["crun", "runc", "chroot"])
def rung(request: pytest.FixtureRequest, lab: Lab) -> Lab:
    """A lab on each runtime, and on the rung below them."""
    if request.param == "chroot":
        return Lab(lab.root, Sandbox(str(lab.root), isolation="chroot"))
    need(request.param)
    return Lab(lab.root, Sandbox(str(lab.root), runtime=request.param))


def limited(lab: Lab, script: str, **limits: object) -> tuple[int, str, str]:
    """Exit code, the limit that was exceeded, and the output."""
    wanted = Limits(**limits)  # type: ignore[arg-type]
    for name in wanted.grouped:
        ability = lab.sandbox.probe().limits[name]
        if not ability.works:
            give_up(ability.reason)
    try:
        result, said = lab.sh(script, limits=wanted)
    finally:
        assert groups() == []
    return result.returncode, result.exceeded, said or result.message


def groups() -> list[str]:
    return glob.glob("/sys/fs/cgroup/**/dockerception-*", recursive=True)


def test_memory(rung: Lab) -> None:
    # “tail” keeps the whole of a line without an end.
    script = "head -c 60000000 /dev/zero | tail -n1 | wc -c"
    assert limited(rung, script, memory=1024 * MEBIBYTE) == (0, "", "60000000\n")
    code, exceeded, _ = limited(rung, f"set -o pipefail; {script}", memory=16 * MEBIBYTE)
    assert (code, exceeded) == (137, "memory")


def test_the_number_of_processes_is_that_of_the_container_alone(rung: Lab) -> None:
    script = "for each in 1 2 3 4 5 6; do sleep 0.3 & done; wait; echo done"
    assert limited(rung, script, pids=7) == (0, "", "done\n")
    code, _, said = limited(rung, script, pids=6)
    assert code != 0
    assert "fork" in said


def test_processors(rung: Lab) -> None:
    read_end, write_end = os.pipe()
    request = RunRequest(layers=("busybox",), args=("sh", "-c", "echo up; sleep 60; true"), limits=Limits(cpus=0.5))
    run = rung.sandbox.begin(request, None, write_end, write_end)
    os.close(write_end)
    with open(read_end, "rb") as reader:
        assert reader.readline() == b"up\n"
        (group,) = groups()
        names = {"cpu.max": "50000 100000", "cpu.cfs_quota_us": "50000"}
        found = {name: Path(group, name).read_text().strip() for name in names if Path(group, name).exists()}
        assert found
        assert found.items() <= names.items()
        first = Path(group, "cgroup.procs").read_text().split()[0]
        assert Path(f"/proc/{first}/cmdline").read_bytes().startswith(b"sh\0-c\0echo up")
        run.signal(signal.SIGKILL)
    run.wait()
    assert groups() == []


def test_a_step_that_takes_too_long(rung: Lab) -> None:
    started = time.monotonic()
    assert limited(rung, "echo early; sleep 60", timeout=0.5) == (137, "timeout", "early\n")
    assert time.monotonic() - started < 30  # not when the step would have ended by itself
    assert limited(rung, "echo done", timeout=60) == (0, "", "done\n")


def test_ulimits(rung: Lab) -> None:
    wanted = (Ulimit("nofile", 64, 128), Ulimit("core", 0, UNLIMITED))
    script = "ulimit -Sn; ulimit -Hn; ulimit -Sc; ulimit -Hc"
    assert limited(rung, script, ulimits=wanted) == (0, "", "64\n128\n0\nunlimited\n")


def test_shared_memory(lab: Lab) -> None:
    size = "df -k /dev/shm | tail -n1 | awk '{print $2}'"
    assert limited(lab, size) == (0, "", "65536\n")
    assert limited(lab, size, shm_size=8 * MEBIBYTE) == (0, "", "8192\n")
    with Sandbox(str(lab.root), isolation="chroot") as sandbox, pytest.raises(Exception, match="--shm-size"):
        sandbox.run(RunRequest(layers=("busybox",), args=("true",), limits=Limits(shm_size=MEBIBYTE)))
