"""The same as an ordinary user with subordinate ids: a user namespace, and nothing else is different."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.tools import need
from support.users import copy_program, new_user, open_folders, python_of_everybody

from .conftest import make_busybox

USER = f"dockerception-{os.getpid()}"

SCRIPT = """
import io, json, os, sys, tarfile
from dockerception.errors import DockerceptionError
from dockerception.sandbox.client import Sandbox
from dockerception.sandbox.messages import RunRequest

root = sys.argv[1]
buffer = io.BytesIO()
with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as archive:
    for name, kind, uid in (("dir", b"5", 33), ("dir/file", b"0", 1000), ("null", b"3", 0)):
        info = tarfile.TarInfo(name)
        info.type, info.uid, info.gid, info.mode, info.devmajor, info.devminor = kind, uid, uid, 0o4750, 1, 3
        if name == "dir/file":
            info.pax_headers["SCHILY.xattr.security.capability"] = "\\x01\\0\\0\\x02\\0\\x20" + "\\0" * 14
        archive.addfile(info)

answer = {"euid": os.geteuid()}
with Sandbox(root) as sandbox:
    abilities = sandbox.probe()
    answer["runtimes"] = [each.name for each in abilities.runtimes if each.works]
    answer["subordinate"] = abilities.subordinate_ids.works
    try:
        answer["absent"] = sandbox.unpack(root + "/trees/new", [buffer.getvalue()]).absent
        answer["tree"] = [(e.path, e.kind, e.uid, e.gid, e.mode, dict(e.xattrs) != {})
                          for e in sandbox.diff(root + "/trees/new").toc]
    except DockerceptionError as error:
        answer["error"] = str(error)
        sandbox.delete([root + "/trees/new"])
        os.mkdir(root + "/trees/new")
    script = ("id -u; cat /dir/file; rm -r /data; mkdir /data; echo x > /data/new; touch /mine;"
              " test $1 = one || chown 33:44 /mine; head -c2 /dev/zero | wc -c; ls /sys/class/net | wc -l")
    for network in ("host", "none"):
        read_end, write_end = os.pipe()
        result = sandbox.run(
            RunRequest(layers=("busybox", "new"), args=("sh", "-c", script, "sh", sys.argv[2]), network=network,
                       upper=root + "/tmp/upper-" + network, work=root + "/tmp/work-" + network),
            None, write_end, write_end)
        os.close(write_end)
        with open(read_end, "rb") as reader:
            answer[network] = (result.returncode, reader.read().decode(), result.message)
    answer["diff"] = [(e.path, e.kind, e.uid, e.gid, e.is_opaque) for e in sandbox.diff(root + "/tmp/upper-host").toc
                      if e.path.startswith(("data", "mine"))]
    sandbox.delete([root + "/tmp/upper-host", root + "/tmp/upper-none", root + "/trees/new"])
    answer["left"] = os.listdir(root + "/tmp") + os.listdir(root + "/trees")
print(json.dumps(answer))
"""


@pytest.fixture(scope="module")
def user() -> Iterator[str]:
    with new_user(USER) as name:
        yield name


@pytest.fixture
def program(tmp_path: Path) -> Path:
    return copy_program(tmp_path / "program")


def as_user(user: str, program: Path, store: Path, mode: str) -> dict[str, object]:
    """Run the script as the user, with a Python that the user can execute."""
    open_folders(store)
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(program), "PYTHONDONTWRITEBYTECODE": "1"}
    command = [need("runuser"), "-u", user, "--", python_of_everybody(user), "-c", SCRIPT, str(store), mode]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment, cwd="/")
    assert done.returncode == 0, done.stderr
    answer: dict[str, object] = json.loads(done.stdout)
    return answer


@pytest.fixture
def store(user: str, tmp_path: Path) -> Path:
    """A store that belongs to the user."""
    root = tmp_path / "store"
    (root / "tmp").mkdir(parents=True)
    make_busybox(root / "trees/busybox")
    subprocess.run(["chown", "-Rh", f"{user}:", str(root)], check=True)
    return root


def test_a_user_with_subordinate_ids(user: str, program: Path, store: Path) -> None:
    answer = as_user(user, program, store, "many")
    assert answer["euid"] != 0
    assert answer["subordinate"] is True
    assert "crun" in answer["runtimes"]  # type: ignore[operator]
    assert answer["absent"] == ["null"]
    assert answer["tree"] == [
        ["", "directory", 0, 0, 0o755, False],
        ["dir", "directory", 33, 33, 0o4750, False],
        ["dir/file", "file", 1000, 1000, 0o4750, True],
    ]
    assert answer["host"][:2] == [0, f"0\n2\n{len(os.listdir('/sys/class/net'))}\n"]  # type: ignore[index]
    assert answer["none"][:2] == [0, "0\n2\n1\n"]  # type: ignore[index]
    assert answer["diff"] == [
        ["data", "directory", 0, 0, True],
        ["data/new", "file", 0, 0, False],
        ["mine", "file", 33, 44, False],
    ]
    assert answer["left"] == ["busybox"]


def test_a_user_without_subordinate_ids(user: str, program: Path, store: Path) -> None:
    ranges = [option for kind in ("uid", "gid") for option in (f"--del-sub{kind}s", "0-4294967294")]
    subprocess.run([need("usermod"), *ranges, user], check=True)
    answer = as_user(user, program, store, "one")
    assert answer["subordinate"] is False
    assert "“dir/file” belongs to 1000:1000" in str(answer["error"])
    assert "subordinate ids" in str(answer["error"])
    assert answer["host"][0] == 0, answer  # type: ignore[index]
    assert answer["left"] == ["busybox"]
