"""The oracle: a real dockerd with BuildKit, from Debian's packages, that lives as long as somebody uses it.

One daemon serves all test processes of a user.  Each holds a shared lock; ``run-dockerd`` beside this file ends the
daemon when no lock is left, so a killed test run leaves nothing behind.  Its data (images, build cache) stay in the
tests' cache: a build that was done before is not done again.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from support import cache
from support.docker import Docker
from support.tools import need, need_root


class Release(msgspec.Struct, frozen=True):
    """A suite of Debian's and the packages that make a Docker of it; ``config`` is its ``daemon.json``, if any."""

    suite: str
    packages: str
    config: str = ""

    @property
    def recipe(self) -> tuple[str, ...]:
        """The command that makes the root file system, but for its path."""
        return ("mmdebstrap", "--quiet", "--variant=apt", f"--include={self.packages}", self.suite)


# xz-utils: dockerd runs `xz` to unpack such archives, and copies them as they are where it is missing.
ORACLE = Release("trixie", "docker.io,docker-buildx,docker-cli,iptables,xz-utils")
CONTAINERD = Release(ORACLE.suite, ORACLE.packages, '{"features": {"containerd-snapshotter": true}}')
OLD = Release("bookworm", "docker.io,iptables,xz-utils")
_START_SECONDS = 60.0


@contextmanager
def running_docker(release: Release = ORACLE) -> Iterator[Docker]:
    """A client of the oracle, or of a Docker of another release, which is started if it does not run.  Needs root."""
    need_root()
    root = docker_root(release)
    variant = f"-{cache.recipe_key(release.config)}" if release.config else ""
    work = cache.folder() / f"{root.name}{variant}.work"
    work.mkdir(exist_ok=True)
    (work / "daemon.json").write_text(release.config or "{}")
    with (work / "users.lock").open("a") as user:
        with cache.locked(work / "start.lock"):
            fcntl.flock(user, fcntl.LOCK_SH)  # waits for a daemon that is ending
            if not _answers(work / "docker.sock"):
                _start(root, work)
        yield _client(root, work)


def oracle_root() -> Path:
    """The root file system that the oracle's programs come from."""
    return docker_root(ORACLE)


def docker_root(release: Release) -> Path:
    """The root file system that a daemon's programs come from."""

    def make(path: Path) -> None:
        need("mmdebstrap")
        subprocess.run([*release.recipe, os.fspath(path)], check=True, stdin=subprocess.DEVNULL)

    return cache.once(f"dockerd-root-{cache.recipe_key(*release.recipe)}", make)


def _client(root: Path, work: Path) -> Docker:
    """Debian's own client, which runs outside of its root file system too: it needs libc only."""
    config = work / "client"
    plugins = config / "cli-plugins"
    plugins.mkdir(parents=True, exist_ok=True)
    plugin = plugins / f"docker-buildx-{os.getpid()}"
    buildx = root / "usr/libexec/docker/cli-plugins/docker-buildx"
    if buildx.exists():
        plugin.symlink_to(buildx)
        plugin.rename(plugins / "docker-buildx")  # at once, whoever else does it
    return Docker(program=root / "usr/bin/docker", socket=work / "docker.sock", config=config)


def _start(root: Path, work: Path) -> None:
    """Start the daemon; data that a crash has spoilt are thrown away once."""
    if not _started(root, work):
        shutil.rmtree(work / "data", ignore_errors=True)
        if not _started(root, work):
            log = (work / "dockerd.log").read_text(errors="replace")
            raise RuntimeError(f"the oracle's dockerd does not start:\n{log[-4000:]}")


def _started(root: Path, work: Path) -> bool:
    command = [Path(__file__).with_name("run-dockerd"), root, work]
    with (work / "dockerd.log").open("wb") as log:
        supervisor = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True, cwd="/"
        )
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline and supervisor.poll() is None:
        if _answers(work / "docker.sock"):
            return True
        time.sleep(0.05)
    supervisor.terminate()
    supervisor.wait()
    return False


def _answers(path: Path) -> bool:
    """Does a daemon answer a ping?"""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(5)
        try:
            connection.connect(os.fspath(path))
            connection.sendall(b"GET /_ping HTTP/1.0\r\nHost: docker\r\n\r\n")
            return b" 200 " in connection.recv(64)
        except OSError:
            return False
