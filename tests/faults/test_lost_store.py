"""A store that is removed, moved away or made read-only: the command says so, ends, and leaves nothing running."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from faults.program import Failure, Program, pids, wait_until
from support.bases import Base
from support.tools import need, need_root

pytestmark = pytest.mark.root

_SLEEP = f"2.7{os.getpid()}"
_TEXTS = {
    "a step": f'FROM busybox\nCOPY . /\nRUN sleep {_SLEEP}\nRUN true\nCMD ["cat", "/streams/good"]\n',
    "a builder": f'FROM busybox\nCOPY . /\nCMD ["sh", "-c", "sleep {_SLEEP}; cat /streams/good"]\n',
}
_READ_ONLY = {
    "images": 6,
    "rm kept": 6,
    "tag kept other": 6,
    "prune --force": 6,
    "prune --all --force": 6,
    "prune --keep-storage 1 --force": 6,
    "df": 6,
    "doctor --store": 6,
    "run kept true": 125,
    "build -t unwanted PROJECT": 6,
    "context -o out PROJECT": 6,
}


@pytest.fixture
def store(tmp_path: Path, base: Callable[[str], Base]) -> Program:
    """A store of the test's own, with the base."""
    program = Program(store=tmp_path / "store")
    program.succeed("load", "-i", base("busybox").archive)
    return program


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Path]:
    """A file system of its own."""
    need_root()
    folder = tmp_path / "disk"
    folder.mkdir()
    subprocess.run([need("mount"), "-t", "tmpfs", "-o", "size=64m", "tmpfs", folder], check=True)
    yield folder
    subprocess.run([need("umount"), folder], check=True)


@pytest.mark.parametrize("how", ["removed", "moved"])
@pytest.mark.parametrize("when", _TEXTS)
def test_it_vanishes(store: Program, project: Path, tmp_path: Path, when: str, how: str) -> None:
    (tmp_path / "Dockerfile").write_text(_TEXTS[when])
    command = ["build", "--progress=plain", "-t", "wanted", "-f", str(tmp_path / "Dockerfile"), str(project)]
    process = store.start(*command)
    wait_until(lambda: bool(pids(_SLEEP)) or process.poll() is not None, "the build never came so far")
    if how == "moved":
        store.store.rename(tmp_path / "moved")
    else:
        shutil.rmtree(store.store, ignore_errors=True)  # what is mounted there is the worker's own
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 6, errors.decode()
    assert "error[store]: " in errors.decode()
    assert str(store.store) in errors.decode()
    assert "Traceback" not in errors.decode()
    wait_until(lambda: not pids(_SLEEP), "the container is still there")
    wait_until(lambda: not _alive(store), lambda: f"still there: {_alive(store)}")
    if how == "moved":
        (tmp_path / "moved").rename(store.store)
        assert set(store.names()) == {"busybox:latest"}
        store.succeed("doctor", "--store")
        store.succeed(*command)
        store.has_no_leftovers()


@pytest.mark.parametrize("line", _READ_ONLY)
def test_it_is_read_only(
    place: Path, project: Path, tmp_path: Path, base: Callable[[str], Base], line: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    program = Program(store=place / "store")
    program.succeed("load", "-i", base("busybox").archive)
    program.succeed("tag", "busybox", "kept")
    subprocess.run([need("mount"), "-o", "remount,ro", place], check=True)
    done = program.run(*line.replace("PROJECT", str(project)).split())
    subprocess.run([need("mount"), "-o", "remount,rw", place], check=True)
    Failure(_READ_ONLY[line], "store", "store.db can't be written", "DOCKERCEPTION_HOME").check(done)
    assert set(program.names()) == {"busybox:latest", "kept:latest"}
    program.has_no_leftovers()


def _alive(program: Program) -> list[str]:
    return [line for line in program.leftovers() if line.startswith(("process", "mount"))]
