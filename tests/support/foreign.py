"""Another machine's programs: a busybox for each of two platforms, and an emulator for the one that is not ours."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from support import cache
from support.bases import EPOCH, SUITE, run_mmdebstrap
from support.busybox import busybox_rootfs
from support.tools import need, need_root

HANDLERS: Final = Path("/proc/sys/fs/binfmt_misc")
OWN, FOREIGN = ("arm64", "amd64") if os.uname().machine == "aarch64" else ("amd64", "arm64")
"""The architecture of this machine, and another one."""

_QEMU: Final = {"amd64": "qemu-x86_64", "arm64": "qemu-aarch64", "riscv64": "qemu-riscv64"}


def rootfs(architecture: str) -> Path:
    """A tar with busybox for an architecture, as ``support.bases.busybox`` has it for this machine's."""
    package = ["mmdebstrap", "--quiet", "--variant=extract", "--include=busybox-static", "--format=tar"]
    package += [f"--architectures={architecture}", SUITE]

    def make(path: Path) -> None:
        downloaded = path.with_suffix(".package")
        run_mmdebstrap(package, downloaded)
        busybox_rootfs(downloaded, path, EPOCH)
        downloaded.unlink()

    return cache.once(f"busybox-{architecture}-{cache.recipe_key(*package, str(EPOCH))}.tar", make)


def emulate(architecture: str) -> None:
    """Have the kernel run another architecture's programs with QEMU.  It stays so until the machine ends."""
    need_root()
    if not (HANDLERS / "register").exists():
        subprocess.run(["mount", "-t", "binfmt_misc", "binfmt_misc", HANDLERS], check=True)
    if not (HANDLERS / _QEMU[architecture]).exists():
        subprocess.run([need("update-binfmts"), "--enable", _QEMU[architecture]], check=True)


@contextmanager
def no_emulator(architecture: str) -> Iterator[str]:
    """Take the emulator away for the duration of a block; gives the name of its handler."""
    emulate(architecture)
    handler = HANDLERS / _QEMU[architecture]
    handler.write_text("0")
    try:
        yield handler.name
    finally:
        handler.write_text("1")
