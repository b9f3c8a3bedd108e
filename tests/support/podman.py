"""A Podman service of its own: socket, storage and configuration in a temporary folder, ended with the block."""

from __future__ import annotations

import os
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from support.tools import need, need_root

_START_SECONDS = 30.0

# Containers get the limits of the machine, which may be lower than what Podman would raise them to.
_CONFIGURATION = """\
[containers]
default_ulimits = ["nofile=1024:1024", "nproc=1024:1024"]
[engine]
cgroup_manager = "cgroupfs"
runtime = "runc"
"""


class Podman(msgspec.Struct, frozen=True, kw_only=True):
    """A running service: ``address`` is that of its socket."""

    address: str
    process: int


@contextmanager
def running_podman() -> Iterator[Podman]:
    """Start a service and end it with the block.  Needs root."""
    need_root()
    need("runc")
    program = need("podman")
    # The paths of its sockets must be short.
    with tempfile.TemporaryDirectory(prefix="pod", ignore_cleanup_errors=True) as folder:
        Path(folder, "containers.conf").write_text(_CONFIGURATION)
        environment = {**os.environ, "CONTAINERS_CONF": f"{folder}/containers.conf", "TMPDIR": folder}
        storage = ["--root", f"{folder}/root", "--runroot", f"{folder}/run", "--storage-driver", "overlay"]
        command = [program, *storage, "system", "service", "--time=0", f"unix://{folder}/socket"]
        with Path(folder, "log").open("wb") as log:
            service = subprocess.Popen(command, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        try:
            _wait_for(Path(folder, "socket"), service, Path(folder, "log"))
            yield Podman(address=f"unix://{folder}/socket", process=service.pid)
        finally:
            service.terminate()
            service.wait()
            # A container survives a service that was killed.
            subprocess.run([program, *storage, "rm", "--all", "--force", "--time=0"], env=environment, check=False)
            _unmount_below(folder)


def _wait_for(socket: Path, service: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while not socket.exists():
        if service.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError(f"podman does not start:\n{log.read_text(errors='replace')[-4000:]}")
        time.sleep(0.05)


def _unmount_below(folder: str) -> None:
    """Podman leaves its storage mounted upon itself."""
    mounts = [line.split()[4] for line in Path("/proc/self/mountinfo").read_text().splitlines()]
    for path in sorted((path for path in mounts if path.startswith(f"{folder}/")), reverse=True):
        subprocess.run([need("umount"), "--lazy", path], check=False)
