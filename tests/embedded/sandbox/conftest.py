"""A store with one layer, ``busybox``, and a sandbox on it."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from dockerception.sandbox.client import Sandbox
from dockerception.sandbox.messages import RunRequest, RunResult
from support.tools import need, need_root

OLD = 1_000_000_000
"""The mtime of the layer's directories, in seconds."""


class Lab:
    """A sandbox with short ways to do what most tests do."""

    def __init__(self, root: Path, sandbox: Sandbox) -> None:
        self.root = root
        self.sandbox = sandbox
        self.count = 0

    def tree(self, name: str) -> Path:
        """Where a layer of this name is."""
        return self.root / "trees" / name

    def fresh(self) -> str:
        """A path in ``tmp/`` where nothing is."""
        self.count += 1
        return str(self.root / "tmp" / f"test-{self.count}")

    def sh(self, script: str, **options: object) -> tuple[RunResult, str]:
        """Run a script over the busybox layer; stdout and stderr together."""
        request = RunRequest(layers=("busybox",), args=("sh", "-c", script))
        return self.output(msgspec.structs.replace(request, **options))

    def output(self, request: RunRequest) -> tuple[RunResult, str]:
        """Run a request; stdout and stderr together."""
        read_end, write_end = os.pipe()
        with open(read_end, "rb") as reader:
            try:
                run = self.sandbox.begin(request, None, write_end, write_end)
            finally:
                os.close(write_end)
            said = reader.read()
            return run.wait(), said.decode()

    def change(self, script: str, **options: object) -> str:
        """Run a script that must succeed; returns the upper directory."""
        upper = self.fresh()
        result, said = self.sh(script, upper=upper, work=self.fresh(), **options)
        assert result.returncode == 0, said or result.message
        return upper


def make_busybox(tree: Path) -> None:
    """A layer around the host's static busybox: its applets, /etc, /tmp and some files to change."""
    busybox = need("busybox")
    (tree / "bin").mkdir(parents=True)
    (tree / "bin/busybox").write_bytes(Path(busybox).read_bytes())
    (tree / "bin/busybox").chmod(0o755)
    for applet in subprocess.run([busybox, "--list"], capture_output=True, text=True, check=True).stdout.split():
        if applet != "busybox":
            (tree / "bin" / applet).symlink_to("busybox")
    (tree / "etc").mkdir()
    (tree / "tmp").mkdir()
    (tree / "tmp").chmod(0o1777)
    (tree / "data/sub").mkdir(parents=True)
    (tree / "data/one").write_text("one\n")
    (tree / "data/sub/two").write_text("two\n")
    for name in ("dev", "proc", "sys"):
        (tree / name).mkdir()
    for path in (tree / "etc", tree / "tmp", tree / "data", tree):
        os.utime(path, (OLD, OLD))


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    """A lab of its own for each test; at its end nothing may be left in ``tmp/`` but what the test made."""
    need_root()
    need("crun")
    root = tmp_path / "store"
    (root / "tmp").mkdir(parents=True)
    make_busybox(root / "trees/busybox")
    with Sandbox(str(root), runtime="crun") as sandbox:
        lab = Lab(root, sandbox)
        yield lab
        assert [each for each in os.listdir(root / "tmp") if not each.startswith("test-")] == []
        assert not (root / "mnt").exists() or os.listdir(root / "mnt") == []
