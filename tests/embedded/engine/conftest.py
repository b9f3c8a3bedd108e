"""The embedded engine with a real sandbox, on the host's static busybox."""

from __future__ import annotations

import os
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path

import pytest

from dockerception.sandbox.client import Sandbox
from support.tools import need, need_root
from unit.engines.lab import Lab, new_lab

NewLab = Callable[..., AbstractContextManager[Lab]]
BUSYBOX = "FROM busybox\n"


@pytest.fixture(scope="session")
def rootfs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A root file system around busybox."""
    need_root()
    need("crun")
    busybox = need("busybox")
    root = tmp_path_factory.mktemp("base") / "rootfs"
    for folder in ("bin", "dev", "etc", "proc", "sys", "tmp"):
        (root / folder).mkdir(parents=True)
    (root / "bin/busybox").write_bytes(Path(busybox).read_bytes())
    (root / "bin/busybox").chmod(0o755)
    for applet in subprocess.run([busybox, "--list"], capture_output=True, text=True, check=True).stdout.split():
        if applet != "busybox":
            (root / "bin" / applet).symlink_to("busybox")
    (root / "etc/passwd").write_text("root:x:0:0::/root:/bin/sh\nme:x:7:8::/home/me:/bin/sh\n")
    (root / "etc/group").write_text("root:x:0:\nours:x:8:\nmore:x:9:me\n")
    for folder, _, files in os.walk(root):
        for path in (folder, *(os.path.join(folder, file) for file in files)):
            os.utime(path, (1_000_000_000, 1_000_000_000), follow_symlinks=False)
    return root


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What any sandbox has been asked for since the test began; nothing reaches one in another way."""
    made: list[str] = []
    lock = threading.Lock()
    ask = Sandbox.call

    def watched(self: Sandbox, call: object, descriptors: object = ()) -> object:
        with lock:
            made.append(type(call).__name__)
        return ask(self, call, descriptors)  # type: ignore[arg-type]

    monkeypatch.setattr(Sandbox, "call", watched)
    return made


@pytest.fixture
def open_lab(tmp_path: Path, rootfs: Path) -> NewLab:
    """A function that opens a lab on the store at ``tmp_path/store``, or on another one."""
    return lambda root=tmp_path / "store": new_lab(root, runtime="crun")


@pytest.fixture
def lab(open_lab: NewLab) -> Iterator[Lab]:
    """A lab of the test's own."""
    with open_lab() as lab:
        yield lab


@pytest.fixture
def bases(rootfs: Path) -> dict[str, str]:
    """What ``--build-context`` gives the engine: ``busybox``."""
    return {"busybox": f"rootfs:{rootfs}"}


@pytest.fixture
def build(lab: Lab, bases: dict[str, str]) -> Callable[..., object]:
    """``lab.build`` where ``busybox`` is known."""
    return partial(lab.build, build_contexts=bases)
