"""The real program, started as a user starts it, on a store of its own."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from support.tools import need, need_root

PROGRAM = str(Path(sys.executable).with_name("dockerception"))
BUILDER = """FROM scratch
COPY busybox /bin/busybox
RUN ["/bin/busybox", "--install", "-s", "/bin"]
RUN mkdir /out && echo hello > /out/hello && printf 'FROM scratch\\nCOPY hello /\\nCMD ["/hello"]\\n' > /out/Dockerfile
CMD ["tar", "-c", "-C", "/out", "."]
"""

Command = Callable[..., "subprocess.CompletedProcess[bytes]"]
Start = Callable[..., "subprocess.Popen[bytes]"]


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, str]:
    """The environment of the program: nothing of ours but the store."""
    need_root()
    need("crun")
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "PYTHONPATH") if name in os.environ}
    return {**kept, "DOCKERCEPTION_HOME": str(tmp_path_factory.mktemp("store") / "store")}


@pytest.fixture(scope="module")
def command(environment: Mapping[str, str]) -> Command:
    """A function that runs the program to its end."""

    def run(*arguments: str, stdin: bytes = b"", **variables: str) -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(
            [PROGRAM, *arguments], input=stdin, capture_output=True, env={**environment, **variables}, check=False
        )

    return run


@pytest.fixture
def start(environment: Mapping[str, str]) -> Iterator[Start]:
    """A function that starts the program; whatever it starts has ended when the test has."""
    started: list[subprocess.Popen[bytes]] = []

    def begin(*arguments: str) -> subprocess.Popen[bytes]:
        process = subprocess.Popen(
            [PROGRAM, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=dict(environment),
        )
        started.append(process)
        return process

    yield begin
    for process in started:
        process.kill()
        process.communicate()


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory whose Dockerfile makes a builder."""
    folder = tmp_path_factory.mktemp("project")
    shutil.copy(need("busybox"), folder / "busybox")
    (folder / "Dockerfile").write_text(BUILDER)
    return folder


@pytest.fixture(scope="module")
def builder(command: Command, project: Path) -> str:
    """The name of a built builder in the store; its runtime image is ``app``."""
    done = command("build", "-t", "app", "--builder-tag=builder", str(project))
    assert done.returncode == 0, done.stderr.decode()
    return "builder"
