"""However one of the processes ends, no process and no mount is left."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import zlib
from pathlib import Path

import pytest

from .conftest import Lab

SCRIPT = """
import os, sys
from dockerception.sandbox.client import Sandbox
from dockerception.sandbox.messages import RunRequest
scratch = sys.argv[1] + "/tmp/test-scratch"  # what is in there is the next process's to sweep
os.mkdir(scratch)
sandbox = Sandbox(sys.argv[1], scratch=scratch, **{sys.argv[2]: sys.argv[4]})
run = sandbox.begin(
    RunRequest(layers=("busybox",), args=("sh", "-c", f"echo ready; sleep {sys.argv[3]} & sleep {sys.argv[3]}"),
               upper=sys.argv[1] + "/tmp/test-upper", work=sys.argv[1] + "/tmp/test-work"),
    None, 1, 2,
)
sys.exit(run.wait().returncode)
"""


def start(lab: Lab, option: str, value: str) -> subprocess.Popen[bytes]:
    """A process of its own that runs a container; it is returned when the container runs."""
    command = [sys.executable, "-c", SCRIPT, str(lab.root), option, mark(lab.root), value]
    parent = subprocess.Popen(command, stdout=subprocess.PIPE)
    assert parent.stdout is not None
    assert parent.stdout.readline() == b"ready\n"
    return parent


def mark(root: Path) -> str:
    """How long the container sleeps, in seconds: a number that no other test has."""
    return str(10_000_000 + zlib.crc32(bytes(root)) % 80_000_000)


def processes(root: Path) -> dict[int, str]:
    """What runs for the store at ``root``: pids and command lines of unshare, the helper, runtimes and containers."""
    found = {}
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            line = Path("/proc", pid, "cmdline").read_bytes().replace(b"\0", b" ").decode()
            mounts = Path("/proc", pid, "mountinfo").read_text()
        except OSError:
            continue
        if int(pid) != os.getpid() and (str(root) in line or f"{root}/" in mounts or f"sleep {mark(root)}" in line):
            found[int(pid)] = line
    return found


def wait_for_end(root: Path) -> None:
    deadline = time.monotonic() + 10
    while left := processes(root):
        assert time.monotonic() < deadline, left
        time.sleep(0.02)


@pytest.mark.parametrize("runtime", ["crun", "runc"])
@pytest.mark.parametrize("victim", ["parent", "unshare", "helper", "worker", "runtime"])
def test_a_kill_leaves_nothing(lab: Lab, victim: str, runtime: str) -> None:
    parent = start(lab, "runtime", runtime)
    running = processes(lab.root)
    assert any(f"sleep {mark(lab.root)}" in line for line in running.values())
    helpers = sorted(pid for pid, line in running.items() if "sandbox.helper" in line and not line.startswith("/usr"))
    pids = {
        "parent": parent.pid,
        "unshare": next(pid for pid, line in running.items() if "unshare" in line.split()[0]),
        "helper": helpers[0],
        "worker": helpers[1],
        "runtime": next(pid for pid, line in running.items() if f"{runtime} --root" in line),
    }
    os.kill(pids[victim], signal.SIGKILL)
    assert parent.wait(10) != 0
    wait_for_end(lab.root)
    assert str(lab.root) not in Path("/proc/self/mountinfo").read_text()
    if parent.stdout is not None:
        parent.stdout.close()


def test_an_interrupt_of_the_terminal_reaches_only_the_parent(lab: Lab) -> None:
    parent = start(lab, "runtime", "crun")
    sessions = {pid: os.getsid(pid) for pid, line in processes(lab.root).items() if pid != parent.pid}
    assert os.getsid(parent.pid) not in sessions.values()
    os.kill(parent.pid, signal.SIGINT)
    parent.wait(10)
    wait_for_end(lab.root)
    if parent.stdout is not None:
        parent.stdout.close()
