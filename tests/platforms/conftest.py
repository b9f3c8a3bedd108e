"""What builds for several platforms need: a base for two of them, an emulator, a registry, a BuildKit to compare."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from faults.program import PROGRAM
from platforms.lab import Lab
from support import cache
from support.buildkit import running_builder
from support.foreign import FOREIGN, OWN, emulate, rootfs
from support.registry import running_registry

_BASE = 'FROM scratch\nARG TARGETARCH\nADD $TARGETARCH.tar /\nCMD ["sh"]\n'


@pytest.fixture(scope="session")
def busybox(session_folder: Path) -> Path:
    """A layout with ``busybox`` for both platforms under one name, of one archive each."""
    source, layout = session_folder / "busybox-sources", session_folder / "busybox-layout"
    with cache.locked(session_folder / "busybox.lock"):
        if not layout.exists():
            source.mkdir(exist_ok=True)
            (source / "Dockerfile").write_text(_BASE)
            for architecture in (OWN, FOREIGN):
                shutil.copy(rootfs(architecture), source / f"{architecture}.tar")
            command: list[str | Path] = [
                PROGRAM,
                "assemble",
                f"--store={session_folder / 'busybox-store'}",
                "-t",
                "busybox",
            ]
            command += [f"--platform={OWN},{FOREIGN}", "-o", f"type=oci,tar=false,dest={layout}", source]
            subprocess.run(command, check=True)
    return layout


@pytest.fixture
def lab(tmp_path: Path, busybox: Path) -> Lab:
    """The command with a store of the test's own."""
    return Lab(tmp_path / "store", busybox)


@pytest.fixture
def source(tmp_path: Path) -> Callable[..., Path]:
    """A function that makes a source directory of files."""

    def make(**files: str) -> Path:
        folder = tmp_path / "source"
        folder.mkdir()
        for name, text in files.items():
            (folder / name).write_text(text)
        return folder

    return make


@pytest.fixture
def emulated() -> str:
    """The architecture of another machine, whose programs are emulated."""
    emulate(FOREIGN)
    return FOREIGN


@pytest.fixture(scope="session")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A registry; tests take repositories of their own."""
    with running_registry(tmp_path_factory.mktemp("registry")) as address:
        yield address


@pytest.fixture(scope="session")
def builder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """The variables that make buildx take a BuildKit, which is that of a dockerd."""
    with running_builder(tmp_path_factory.mktemp("builder")) as variables:
        yield variables
