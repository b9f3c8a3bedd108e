"""The oracle's daemon ends with the last process that uses it, even when that is killed."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from support import dockerd
from support.tools import need_root

_USER = """
import sys
from support.dockerd import running_docker
with running_docker() as docker:
    print(docker.socket, flush=True)
    sys.stdin.read()
"""
_END_SECONDS = 20.0


@pytest.fixture
def cache_home() -> Iterator[Path]:
    """A cache that has the oracle's programs and no data.  Its path is short: a socket's may have 107 bytes."""
    need_root()
    root = dockerd.oracle_root()
    with tempfile.TemporaryDirectory(prefix="oracle") as folder:
        cache = Path(folder) / "dockerception-tests"
        cache.mkdir()
        (cache / root.name).symlink_to(root)
        yield Path(folder)


def test_a_killed_user_takes_the_daemon_along(cache_home: Path) -> None:
    tests = Path(dockerd.__file__).parents[1]
    environment = {**os.environ, "PYTHONPATH": os.fspath(tests), "XDG_CACHE_HOME": os.fspath(cache_home)}
    user = subprocess.Popen(
        [sys.executable, "-c", _USER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
    )
    assert user.stdout is not None
    socket = Path(user.stdout.readline().strip())
    assert daemons(socket)
    user.kill()
    user.wait()
    deadline = time.monotonic() + _END_SECONDS
    while daemons(socket) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not daemons(socket)
    assert not socket.exists()


def daemons(socket: Path) -> list[str]:
    """The supervisors that serve this socket."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = path.read_bytes().split(b"\0")
        except OSError:
            continue
        if os.fsencode(socket.parent) in words:
            found.append(path.parent.name)
    return found
