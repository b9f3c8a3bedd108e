"""What the sandbox finds out about the machine, and what it says where something is missing."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from dockerception import process
from dockerception.errors import MachineError
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


def test_auto_takes_a_runtime_that_works(lab: Lab) -> None:
    with Sandbox(str(lab.root)) as sandbox:
        assert sandbox.run(RunRequest(layers=("busybox",), args=("sh", "-c", "exit 4"))).returncode == 4


def test_auto_says_why_nothing_works(lab: Lab) -> None:
    found = lab.sandbox.probe()
    runtimes = tuple(msgspec.structs.replace(each, works=False, reason="it is broken") for each in found.runtimes)
    changed = msgspec.structs.replace(found, runtimes=runtimes)
    (lab.root / "machine.json").write_bytes(msgspec.json.encode(changed))
    with Sandbox(str(lab.root)) as sandbox, pytest.raises(MachineError, match="crun: it is broken"):
        sandbox.run(RunRequest(layers=("busybox",), args=("true",)))


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
    with Sandbox(str(lab.root)) as sandbox:
        with pytest.raises(MachineError, match="Operation not permitted"):
            sandbox.delete(["/nowhere/x"])
        found = sandbox.probe()
        assert not found.helper.works
        assert "Operation not permitted" in found.helper.reason
        with pytest.raises(MachineError, match="Operation not permitted"):
            sandbox.run(RunRequest(layers=("busybox",), args=("true",)))
    assert not (lab.root / "machine.json").exists()


def test_a_missing_unshare(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "find", lambda tool: None)
    with Sandbox(str(lab.root), runtime="/usr/bin/crun") as sandbox, pytest.raises(MachineError, match="unshare"):
        sandbox.start()
