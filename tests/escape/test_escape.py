"""A process that wants out of its container, as root's and as a user's.

``attempts`` tries everything in one run.  The controls run the same program where it should succeed: on this machine
as it is, and in a container with all privileges; what succeeds in neither could not be noticed.
"""

from __future__ import annotations

import ctypes
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from dockerception.sandbox.client import Sandbox
from dockerception.sandbox.messages import Mount, RunRequest
from embedded.sandbox.conftest import make_busybox
from support import reliability
from support.tools import need, need_root
from support.users import copy_program, new_user, python_of_everybody

PROGRAM = Path(__file__).with_name("attempts")
SOCKET = f"dockerception-escape-{os.getpid()}"
KEY = 0x0D0C0000 | os.getpid() & 0xFFFF
_IPC_CREAT, _IPC_RMID = 0o1000, 0

Found = dict[str, list[str]]


class Machine:
    """A store with one layer, things of the machine that nobody inside may reach, and containers over it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.canary = folder / "canary"
        self.store = folder / "store"
        self.other_cache = folder / "store/caches/other"

    def arguments(self, python: str = "/usr/bin/python3") -> tuple[str, ...]:
        return (python, "-m", "escape.attempts", str(self.canary), SOCKET, str(KEY))

    def request(self, **options: object) -> RunRequest:
        """A run of the attempts, with a cache and this machine's Python, read-only."""
        mounts = (
            Mount(kind="bind", source="/usr", target="/usr", is_readonly=True),
            Mount(kind="cache", source=str(self.store / "caches/own"), target="/cache"),
        )
        return RunRequest(layers=("busybox",), args=self.arguments(), mounts=mounts, **options)  # type: ignore[arg-type]

    def found(self, runtime: str, request: RunRequest, place: str = "") -> Found:
        with Sandbox(str(self.store), runtime=runtime) as sandbox:
            return run(sandbox, request, place)


def run(sandbox: Sandbox, request: RunRequest, place: str = "") -> Found:
    return answer_of(said_by(sandbox, request), place)


def said_by(sandbox: Sandbox, request: RunRequest) -> bytes:
    read_end, write_end = os.pipe()
    with open(read_end, "rb") as reader:
        going_on = sandbox.begin(request, None, write_end, 2)
        os.close(write_end)
        said = reader.read()
    result = going_on.wait()
    assert result.returncode == 0, (result, said)
    return said


def answer_of(said: bytes | str, place: str = "") -> Found:
    """What was found; what was tried is counted under the ``place``, unless it is a control."""
    answer = json.loads(said)
    for name, tried in answer["tried"].items():
        if place:
            reliability.count("escapes", name, **{place: tried, "reached": len(answer["found"].get(name, ()))})
    found: Found = answer["found"]
    return found


@pytest.fixture
def machine() -> Iterator[Machine]:
    need_root()
    need("/usr/bin/python3")
    folder = Path(tempfile.mkdtemp(prefix="escape-", dir="/var/tmp"))  # not below /tmp, which containers have too
    folder.chmod(0o755)
    machine = Machine(folder)
    machine.canary.write_text("canary-of-the-machine\n")
    tree = machine.store / "trees/busybox"
    make_busybox(tree)
    for name in ("lib", "lib64"):
        if Path("/", name).is_symlink():
            (tree / name).symlink_to(os.readlink(f"/{name}"))
    shutil.copytree(PROGRAM, tree / "escape/attempts")
    (machine.store / "tmp").mkdir()
    machine.other_cache.mkdir(parents=True)
    (machine.other_cache / "kept").write_text("kept\n")
    libc = ctypes.CDLL(None)
    segment = libc.shmget(KEY, 4096, _IPC_CREAT | 0o666)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind("\0" + SOCKET)
        listener.listen()
        yield machine
    libc.shmctl(segment, _IPC_RMID, None)
    shutil.rmtree(folder)


def before(machine: Machine) -> dict[str, tuple[int, int, bytes]]:
    """Every file of the store's layers and of the other cache, to see that none has been touched."""
    files = [
        path
        for folder in (machine.store / "trees", machine.other_cache, machine.canary)
        for path in ([folder] if folder.is_file() else folder.rglob("*"))
        if path.is_file() and not path.is_symlink()
    ]
    return {str(path): (path.stat().st_mtime_ns, path.stat().st_nlink, path.read_bytes()) for path in files}


@pytest.mark.parametrize("runtime", ["crun", "runc"])
def test_nothing_is_reached(machine: Machine, runtime: str) -> None:
    need(runtime)
    untouched = before(machine)
    # The network is the machine's where nothing else is asked for, and abstract sockets go with it: documented.
    found = machine.found(runtime, machine.request())
    assert set(found) == {"abstract_sockets"}
    assert SOCKET in found["abstract_sockets"]
    assert machine.found(runtime, machine.request(network="none"), runtime) == {}
    unprivileged = machine.request(network="none", uid=1000, gid=1000)
    assert machine.found(runtime, unprivileged, f"{runtime}, USER 1000") == {}
    assert before(machine) == untouched


def test_control_on_the_machine_itself(machine: Machine) -> None:
    python, *rest = machine.arguments(sys.executable)
    command = ["unshare", "--mount", "--", python, *rest]  # so that its mounts go again
    leaked = os.open("/", os.O_RDONLY)
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "CANARY": "1"},
        pass_fds=[leaked],
        cwd=PROGRAM.parents[1],
    )
    os.close(leaked)
    found = answer_of(done.stdout)
    # The other four are about a container's own: caches, layers, daemons that may not run here, terminals.
    expected = {
        "files_of_the_machine", "files_behind_descriptors", "writable_places", "readable_places", "device_nodes",
        "devices_given", "writes_to_what_is_read_only", "processes_of_others", "processes_by_number",
        "variables_of_the_machine", "abstract_sockets", "shared_memory", "keyrings", "system_calls",
        "other_machine_codes", "new_namespaces", "mounts", "out_of_a_chroot", "more_capabilities", "sockets",
    }  # fmt: skip
    assert expected - set(found) == set()


def test_control_with_all_privileges(machine: Machine) -> None:
    found = machine.found("crun", machine.request(is_privileged=True))
    expected = {
        "writable_places", "readable_places", "new_namespaces", "mounts", "system_calls", "devices_given",
        "more_capabilities", "keyrings", "other_machine_codes",
    }  # fmt: skip
    assert expected - set(found) == set()
    assert "files_of_the_machine" not in found


def test_control_in_a_chroot_which_is_no_boundary(machine: Machine) -> None:
    with Sandbox(str(machine.store), isolation="chroot") as sandbox:
        found = run(sandbox, machine.request())
    assert "out_of_a_chroot" in found


USER_SCRIPT = """
import sys
sys.path[:0] = sys.argv[1].split(":")
import msgspec
from dockerception.sandbox.client import Sandbox
from dockerception.sandbox.messages import RunRequest
request = msgspec.json.decode(sys.argv[3], type=RunRequest)
with Sandbox(sys.argv[2], runtime="crun") as sandbox:
    sys.exit(sandbox.run(request, None, 1, 2).returncode)
"""


def test_nothing_is_reached_from_a_users_container(machine: Machine) -> None:
    import msgspec

    need("crun")
    with new_user(f"escape-{os.getpid()}") as user:
        program = copy_program(machine.folder / "program")
        subprocess.run(["chown", "-Rh", f"{user}:", str(machine.store)], check=True)
        request = machine.request(network="none")
        command = [
            need("runuser"), "-u", user, "--", python_of_everybody(user), "-c", USER_SCRIPT, str(program),
            str(machine.store), msgspec.json.encode(request).decode(),
        ]  # fmt: skip
        done = subprocess.run(
            command, capture_output=True, text=True, check=False, cwd="/", env={"PATH": os.environ["PATH"]}
        )
        assert done.returncode == 0, done.stderr
        assert answer_of(done.stdout, "crun, rootless") == {}


PRIVILEGES = "import os; print(os.geteuid(), open('/proc/self/status').read().split('NoNewPrivs:')[1].split()[0])"


@pytest.mark.parametrize(("is_forbidden", "expected"), [(True, b"1000 1\n"), (False, b"0 0\n")])
def test_programs_that_change_the_user_do_not_where_that_is_forbidden(
    machine: Machine, is_forbidden: bool, expected: bytes
) -> None:
    """A copy of Python with the set-user-id bit: what the option takes away, and that it is there without it."""
    need("crun")
    python = machine.store / "trees/busybox/python"
    shutil.copy("/usr/bin/python3", python)
    python.chmod(0o4755)
    request = RunRequest(
        layers=("busybox",), args=("/python", "-c", PRIVILEGES), uid=1000, gid=1000,
        has_no_new_privileges=is_forbidden,
        mounts=(Mount(kind="bind", source="/usr", target="/usr", is_readonly=True),),
    )  # fmt: skip
    with Sandbox(str(machine.store), runtime="crun") as sandbox:
        assert said_by(sandbox, request) == expected


TERMINAL_SCRIPT = """
import os, sys, termios, fcntl
os.setsid()
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
assert os.isatty(os.open("/dev/tty", os.O_RDWR))
sys.path[:0] = sys.argv[1].split(os.pathsep)
import msgspec
from dockerception.sandbox.client import Sandbox
from dockerception.sandbox.messages import RunRequest
request = msgspec.json.decode(sys.argv[4], type=RunRequest)
with Sandbox(sys.argv[2], runtime=sys.argv[3]) as sandbox:
    sys.exit(sandbox.run(request, None, 1, 2).returncode)
"""


@pytest.mark.parametrize("runtime", ["crun", "runc"])
def test_the_terminal_of_the_build_is_not_the_containers(machine: Machine, runtime: str) -> None:
    """A step has no terminal, though the command was started from one: nothing can be typed into it."""
    import msgspec

    need(runtime)
    ours, theirs = os.openpty()
    request = machine.request(network="none")
    command = [
        sys.executable, "-c", TERMINAL_SCRIPT, os.pathsep.join(sys.path), str(machine.store), runtime,
        msgspec.json.encode(request).decode(),
    ]  # fmt: skip
    done = subprocess.run(command, stdin=theirs, capture_output=True, text=True, check=False)
    os.close(theirs)
    assert done.returncode == 0, done.stderr
    assert answer_of(done.stdout, f"{runtime}, from a terminal") == {}
    os.set_blocking(ours, False)
    with pytest.raises(OSError):  # noqa: PT011  nothing has been typed
        os.read(ours, 1)
    os.close(ours)
