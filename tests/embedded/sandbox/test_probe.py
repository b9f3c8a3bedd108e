"""What the sandbox finds out about the machine, and what it says where something is missing."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import msgspec
import pytest

from dockerception import process
from dockerception.errors import DiskFailedError, DiskFullError, DockerceptionError, MachineError
from dockerception.sandbox.client import Sandbox
from dockerception.sandbox.messages import Abilities, RunRequest

from .conftest import Lab


def test_what_works_here(lab: Lab) -> None:
    found = lab.sandbox.probe()
    assert (found.helper.works, found.overlay.works, found.subordinate_ids.works) == (True, True, True)
    assert {each.name: each.works for each in found.runtimes}["crun"]
    assert found.cgroups in ("v1", "v2", "hybrid", "none")
    assert list((lab.root / "tmp").iterdir()) == []


def test_it_is_found_out_once(lab: Lab) -> None:
    note = lab.root / "machine.json"
    found = lab.sandbox.probe()
    changed = msgspec.structs.replace(found, cgroups="remembered")
    note.write_bytes(msgspec.json.encode(changed))
    assert lab.sandbox.probe().cgroups == "remembered"
    note.write_bytes(msgspec.json.encode(msgspec.structs.replace(changed, key="of another boot")))
    assert lab.sandbox.probe() == found
    note.write_bytes(b"{damaged")
    assert lab.sandbox.probe() == found
    assert msgspec.json.decode(note.read_bytes(), type=Abilities) == found


@pytest.mark.parametrize("kind", [DiskFullError, DiskFailedError])
@pytest.mark.parametrize("trial", ["check_overlay", "delete", "begin_with"])
def test_what_the_disk_does_is_not_noted_of_the_machine(
    lab: Lab, monkeypatch: pytest.MonkeyPatch, kind: type[DockerceptionError], trial: str
) -> None:
    """Else every build until the next boot would do without an overlay, because of a moment without room."""

    def fail(*arguments: object) -> None:
        raise kind("The disk is not well.")

    with monkeypatch.context() as patched:
        patched.setattr(Sandbox, trial, fail)
        with Sandbox(str(lab.root)) as sandbox, pytest.raises(kind, match="not well"):
            sandbox.probe()
    assert not (lab.root / "machine.json").exists()
    assert lab.sandbox.probe().overlay.works


def test_auto_takes_a_runtime_that_works(lab: Lab) -> None:
    with Sandbox(str(lab.root)) as sandbox:
        assert sandbox.run(RunRequest(layers=("busybox",), args=("sh", "-c", "exit 4"))).returncode == 4


def test_auto_steps_down_with_one_warning_and_oci_does_not(lab: Lab) -> None:
    found = lab.sandbox.probe()
    runtimes = tuple(msgspec.structs.replace(each, works=False, reason="it is broken") for each in found.runtimes)
    changed = msgspec.structs.replace(found, runtimes=runtimes)
    (lab.root / "machine.json").write_bytes(msgspec.json.encode(changed))
    request = RunRequest(layers=("busybox",), args=("sh", "-c", "exit 5"))
    with Sandbox(str(lab.root), isolation="oci") as sandbox:
        with pytest.raises(MachineError, match="No OCI runtime works") as raised:
            sandbox.run(request)
        assert "crun: it is broken" in raised.value.details
    warnings: list[str] = []
    with Sandbox(str(lab.root), warn=warnings.append) as sandbox:
        assert [sandbox.run(request).returncode for _ in range(2)] == [5, 5]
    assert len(warnings) == 1
    assert "no security boundary" in warnings[0]
    assert "crun: it is broken" in warnings[0]


def test_a_runtime_that_fails_is_told_apart_from_the_process(lab: Lab, tmp_path: Path) -> None:
    fake = tmp_path / "crun-broken"
    fake.write_text('#!/bin/sh\nwhile [ "$1" != --log ]; do shift; done; echo "no more tea" > "$2"; exit 1\n')
    fake.chmod(0o755)
    with Sandbox(str(lab.root), runtime=str(fake)) as sandbox:
        result = sandbox.run(RunRequest(layers=("busybox",), args=("true",)))
    assert (result.returncode, result.not_started) == (125, "runtime")
    assert "no more tea" in result.message


def test_a_helper_that_cannot_start(lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake = tmp_path / "unshare"
    fake.write_text("#!/bin/sh\necho unshare failed: Operation not permitted >&2\nexit 1\n")
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    with Sandbox(str(lab.root), isolation="oci") as sandbox:
        found = sandbox.probe()
        assert not found.helper.works
        assert "Operation not permitted" in found.helper.reason
        assert found.chroot.works
        with pytest.raises(MachineError, match="No OCI runtime works") as raised:
            sandbox.run(RunRequest(layers=("busybox",), args=("true",)))
        assert "Operation not permitted" in raised.value.details
    with Sandbox(str(lab.root), runtime="crun") as sandbox, pytest.raises(MachineError) as raised:
        sandbox.delete(["/nowhere/x"])
    assert "Operation not permitted" in str(raised.value)
    assert not (lab.root / "machine.json").exists()


def test_a_missing_unshare(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "find", lambda tool: None)
    with Sandbox(str(lab.root), runtime="/usr/bin/crun") as sandbox, pytest.raises(MachineError, match="unshare"):
        sandbox.start()


def test_what_is_tried_lies_in_the_scratch_directory(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    """A lease covers that, so a disk that dies just then leaves nothing that no sweep would take."""
    places: list[str] = []
    real = tempfile.mkdtemp

    def make(prefix: str, dir: str) -> str:
        places.append(dir)
        return real(prefix=prefix, dir=dir)

    scratch = lab.fresh()
    os.mkdir(scratch)
    monkeypatch.setattr(tempfile, "mkdtemp", make)
    with Sandbox(str(lab.root), scratch=scratch) as sandbox:
        sandbox.probe()
    assert places == [scratch]
