"""Device nodes and hooks of a run: on every rung, as root and as an ordinary user."""

from __future__ import annotations

import json
import os
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from dockerception.errors import MachineError
from dockerception.sandbox.client import Sandbox
from dockerception.sandbox.messages import Hook, Mount, RunRequest, RunResult
from support.tools import need
from support.users import copy_program, new_user, open_folders, python_of_everybody

from .conftest import Lab, make_busybox
from .test_rungs import PLACES, standing_on

USER = f"dockerception-dev-{os.getpid()}"
NODES = (
    Mount(kind="device", target="/dev/mine", source="/dev/zero"),
    Mount(kind="device", target="/dev/own/null", source="/dev/null"),
    Mount(kind="device", target="/data/zero", source="/dev/zero"),
)
SCRIPT = (
    "head -c3 /dev/mine | wc -c; echo lost > /dev/own/null && wc -c < /dev/own/null; head -c2 /data/zero | wc -c;"
    " mknod /made c 1 5 && cat /made 2>/dev/null | head -c1 | wc -c; ls /data"
)


def run(sandbox: Sandbox, **options: object) -> tuple[RunResult, str]:
    """Run a shell script over the busybox layer; stdout and stderr together."""
    read_end, write_end = os.pipe()
    request = RunRequest(layers=("busybox",), **options)  # type: ignore[arg-type]
    with open(read_end, "rb") as reader:
        try:
            result = sandbox.run(request, None, write_end, write_end)
        finally:
            os.close(write_end)
        return result, reader.read().decode()


@pytest.mark.parametrize("place", ["oci", *PLACES])
def test_a_node_of_the_machine_can_be_used(lab: Lab, place: str) -> None:
    before = os.stat("/dev/zero")
    upper, work = lab.fresh(), lab.fresh()
    with standing_on(lab, place) if place != "oci" else Sandbox(str(lab.root)) as sandbox:
        result, said = run(sandbox, args=("sh", "-c", SCRIPT), mounts=NODES, upper=upper, work=work)
        found = [entry.path for entry in sandbox.diff(upper).toc]
    # A node that it makes itself can't be opened, but where the root is no mount, and so not nodev.
    assert said.splitlines()[:3] == ["3", "0", "2"], said
    assert said.splitlines()[3] == ("1" if place in ("chroot on copies", "no namespaces") else "0")
    assert result.returncode == 0
    assert [path for path in found if path.startswith(("dev/", "data/zero"))] == []
    assert os.stat("/dev/zero").st_mode == before.st_mode


@pytest.mark.parametrize("place", ["oci", *PLACES])
def test_nothing_changes_the_machines_own_nodes(lab: Lab, place: str) -> None:
    before = {name: os.stat(f"/dev/{name}") for name in ("full", "null", "zero")}
    script = "chmod 600 /dev/full && chown 7:8 /dev/full && stat -c '%a %u %g' /dev/full; echo x > /dev/null"
    with standing_on(lab, place) if place != "oci" else Sandbox(str(lab.root)) as sandbox:
        result, said = run(sandbox, args=("sh", "-c", script))
    assert (result.returncode, said) == (0, "600 7 8\n")
    for name, status in before.items():
        found = os.stat(f"/dev/{name}")
        assert (found.st_mode, found.st_uid, found.st_gid) == (status.st_mode, status.st_uid, status.st_gid)


def test_the_machines_node_keeps_its_mode_and_owner(lab: Lab) -> None:
    before = os.stat("/dev/zero")
    script = "chmod 600 /dev/mine; chown 7:8 /dev/mine; stat -c '%a %u' /dev/mine"
    _, said = lab.sh(script, mounts=NODES[:1])
    assert said.endswith(f"{stat.S_IMODE(before.st_mode):o} 0\n")
    assert "Read-only file system" in said
    assert (os.stat("/dev/zero").st_mode, os.stat("/dev/zero").st_uid) == (before.st_mode, before.st_uid)


def test_a_node_with_another_mode_and_owner(lab: Lab) -> None:
    mount = Mount(kind="device", target="/dev/mine", source="/dev/full", mode=0o640, uid=7, gid=8)
    result, said = lab.sh("stat -c '%a %u %g %t %T' /dev/mine; echo x > /dev/mine", mounts=(mount,))
    assert said.splitlines()[0] == "640 7 8 1 7"
    assert "No space left on device" in said  # it is the machine's /dev/full by its numbers
    assert result.returncode == 1


def test_hooks_are_called_with_the_state_of_the_container(lab: Lab, tmp_path: Path) -> None:
    out = tmp_path / "state"
    hooks = (
        Hook(
            when="createRuntime",
            path="/bin/sh",
            args=("sh", "-c", f"cat > {out}; echo $GIVEN > {out}.given"),
            env=("GIVEN=1", "PATH=/bin"),
        ),
        Hook(when="poststop", path="/bin/sh", args=("sh", "-c", f"touch {out}.gone"), timeout=30),
    )
    result, said = lab.sh("echo ran", hooks=hooks)
    assert (result.returncode, said) == (0, "ran\n")
    assert json.loads(out.read_text())["pid"] > 0
    assert Path(f"{out}.given").read_text() == "1\n"
    assert Path(f"{out}.gone").exists()


def test_a_hook_that_fails_fails_the_run(lab: Lab) -> None:
    result, said = lab.sh("echo ran", hooks=(Hook(when="createRuntime", path="/bin/false"),))
    assert (result.returncode, result.not_started) == (125, "runtime")
    assert "a hook of a device failed" in result.message
    assert "ran" not in said


def test_a_chroot_calls_no_hooks(lab: Lab) -> None:
    with (
        standing_on(lab, "chroot on an overlay") as sandbox,
        pytest.raises(MachineError, match="nothing calls the hook"),
    ):
        run(sandbox, args=("true",), hooks=(Hook(when="createRuntime", path="/bin/true"),))


AS_USER = """
import json, os, sys
from dockerception.sandbox.client import Sandbox
from dockerception.sandbox.messages import Mount, RunRequest

mounts = (
    Mount(kind="device", target="/dev/mine", source="/dev/zero", mode=0o600, uid=1),
    Mount(kind="device", target="/data/null", source="/dev/null"),
)
script = "head -c3 /dev/mine | wc -c; echo lost > /data/null && wc -c < /data/null"
script += "; stat -c %a /dev/mine; test -c /dev/tty"
read_end, write_end = os.pipe()
with Sandbox(sys.argv[1], runtime=sys.argv[2]) as sandbox:
    request = RunRequest(layers=("busybox",), args=("sh", "-c", script), mounts=mounts)
    result = sandbox.run(request, None, write_end, write_end)
    os.close(write_end)
    with open(read_end, "rb") as reader:
        print(json.dumps((os.geteuid(), result.returncode, reader.read().decode(), result.message)))
"""


@pytest.fixture
def user() -> Iterator[str]:
    with new_user(USER) as name:
        yield name


@pytest.mark.parametrize("runtime", ["crun", "runc"])
def test_a_user_is_shown_the_machines_node(user: str, tmp_path: Path, runtime: str) -> None:
    need(runtime)
    program = copy_program(tmp_path / "program")
    root = tmp_path / "store"
    (root / "tmp").mkdir(parents=True)
    make_busybox(root / "trees/busybox")
    subprocess.run(["chown", "-Rh", f"{user}:", str(root)], check=True)
    open_folders(root)
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(program), "PYTHONDONTWRITEBYTECODE": "1"}
    command = [need("runuser"), "-u", user, "--", python_of_everybody(user), "-c", AS_USER, str(root), runtime]
    # Without a terminal, as in CI: then /dev/tty can't be opened.
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, env=environment, cwd="/", start_new_session=True
    )
    assert done.returncode == 0, done.stderr
    uid, code, said, message = json.loads(done.stdout)
    assert uid != 0
    # A user can make no node: this one has the mode that the machine's has.
    assert (code, said, message) == (0, f"3\n0\n{stat.S_IMODE(os.stat('/dev/zero').st_mode):o}\n", "")
