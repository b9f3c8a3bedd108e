"""Daemons that are not there, or die: each a clear error, and nothing is named."""

from __future__ import annotations

import os
import signal
import subprocess
import tempfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import msgspec
import pytest

from engines.conftest import client_variables
from engines.lab import Daemon, Lab, connect_to
from faults.program import Failure, wait_until
from peers.test_oracle_ends import daemons
from support import cache
from support.bases import Base
from support.dockerd import running_docker
from support.podman import running_podman

Bases = Callable[[str], Base]
UNREACHABLE = "unix:///nowhere/socket"


class Mortal(msgspec.Struct, frozen=True):
    """An engine, and what ends its daemon without a warning."""

    lab: Lab
    kill: Callable[[], object]


def lab_without_daemon(tmp_path: Path, engine: str, **variables: str) -> Lab:
    """A lab whose daemon nobody has started."""
    daemon = Daemon(variables={"HOME": str(tmp_path), **variables}, connect=connect_to(UNREACHABLE))
    return Lab(name=engine, engine=engine, store=tmp_path / "store", bases=pytest.fail, daemon=daemon)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """Something to build that needs no base."""
    folder = tmp_path / "source"
    folder.mkdir()
    (folder / "Dockerfile").write_text("FROM scratch\nCOPY Dockerfile /\n")
    return folder


@pytest.mark.parametrize(
    ("engine", "variable", "words"),
    [
        ("docker", "DOCKER_HOST", "No daemon answers at unix:///nowhere/socket"),
        ("docker", "DOCKER_CONTEXT", "no Docker context “unix:///nowhere/socket”"),
        ("podman", "CONTAINER_HOST", "No daemon answers at unix:///nowhere/socket"),
    ],
)
def test_nobody_answers_where_the_user_says(
    tmp_path: Path, source: Path, engine: str, variable: str, words: str
) -> None:
    lab = lab_without_daemon(tmp_path, engine, **{variable: UNREACHABLE})
    done = lab.run("assemble", source)
    Failure(5, "transport", words, ".").check(done)


@pytest.mark.parametrize("address", ["tcp://127.0.0.1:9", "ssh://nobody@127.0.0.1:9"])
def test_nobody_answers_on_another_machine(tmp_path: Path, source: Path, address: str) -> None:
    done = lab_without_daemon(tmp_path, "docker", DOCKER_HOST=address).run("assemble", source)
    Failure(5, "transport", f"No daemon answers at {address}", "DOCKER_HOST", "(?i)connection refused").check(done)


def test_no_podman_runs(tmp_path: Path, source: Path) -> None:
    lab = lab_without_daemon(tmp_path, "podman", XDG_RUNTIME_DIR=str(tmp_path))
    if os.path.exists("/run/podman/podman.sock"):
        pytest.skip("this machine has a Podman service")
    Failure(5, "transport", "No Podman service answers", "podman system service").check(lab.run("assemble", source))


def test_the_embedded_engines_options_are_not_for_daemons(tmp_path: Path, source: Path) -> None:
    lab = lab_without_daemon(tmp_path, "docker", DOCKER_HOST=UNREACHABLE)
    done = lab.run("assemble", "--isolation", "chroot", source)
    Failure(2, "usage", "--isolation and --runtime are for the embedded engine").check(done)
    done = lab.run("assemble", "--cdi-spec-dir", tmp_path, source)
    Failure(2, "usage", "--cdi-spec-dir is for the embedded engine", "/etc/cdi").check(done)


def test_an_engine_that_there_is_not(tmp_path: Path, source: Path) -> None:
    lab = lab_without_daemon(tmp_path, "rkt")
    Failure(2, "usage", "“rkt” is not an engine.*embedded, docker, podman").check(lab.run("assemble", source))


def test_the_config_file_chooses_an_engine(tmp_path: Path, source: Path) -> None:
    folder = tmp_path / "config" / "dockerception"
    folder.mkdir(parents=True)
    lab = lab_without_daemon(tmp_path, "", XDG_CONFIG_HOME=str(tmp_path / "config"), CONTAINER_HOST=UNREACHABLE)
    (folder / "config.toml").write_text('engine = "podman"\n')
    Failure(5, "transport", "No daemon answers at unix:///nowhere/socket").check(lab.run("assemble", source))
    (folder / "config.toml").write_text('engine = "pod"\n')
    Failure(2, "usage", r"config\.toml: “pod” is not an engine").check(lab.run("assemble", source))
    (folder / "config.toml").write_text('motor = "podman"\n')
    Failure(2, "usage", "mistakes: motor is unknown", "engine").check(lab.run("assemble", source))
    (folder / "config.toml").write_text("engine\n")
    Failure(2, "usage", "is not a TOML document").check(lab.run("assemble", source))


@pytest.fixture
def cache_home(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A cache with the daemon's programs and the bases, but with data of its own."""
    ours = cache.folder()
    with tempfile.TemporaryDirectory(prefix="mortal") as folder:
        own = Path(folder) / "dockerception-tests"
        own.mkdir()
        for path in ours.iterdir():
            if not path.name.endswith((".work", ".lock", ".partial")):
                (own / path.name).symlink_to(path)
        monkeypatch.setenv("XDG_CACHE_HOME", folder)
        yield Path(folder)


@pytest.fixture(params=["docker", "podman"])
def mortal(request: pytest.FixtureRequest, tmp_path: Path, base: Bases, cache_home: Path) -> Iterator[Mortal]:
    """An engine whose daemon is there for one test only."""
    if request.param == "podman":
        with running_podman() as podman:
            daemon = Daemon(variables={"CONTAINER_HOST": podman.address}, connect=connect_to(podman.address))
            lab = Lab(name="podman", engine="podman", store=tmp_path / "store", bases=base, daemon=daemon)
            yield Mortal(lab, lambda: os.kill(podman.process, signal.SIGKILL))
        return
    with running_docker() as docker:
        variables = client_variables(docker, tmp_path)
        daemon = Daemon(variables=variables, connect=connect_to(variables["DOCKER_HOST"]))
        lab = Lab(name="docker", engine="docker", store=tmp_path / "store", bases=base, daemon=daemon)
        yield Mortal(lab, lambda: _kill(daemons(docker.socket)))


@pytest.mark.parametrize("moment", ["in a step", "while the builder runs"])
def test_a_daemon_that_dies(mortal: Mortal, tmp_path: Path, moment: str) -> None:
    mark = f"{os.getpid()}.{len(moment)}"
    step = f"RUN sleep {mark}\n" if moment == "in a step" else ""
    source = tmp_path / "context"
    source.mkdir()
    (source / "Dockerfile").write_text(f'FROM busybox\n{step}CMD ["sleep", "{mark}"]\n')
    process = mortal.lab.start("build", "-t", "unwanted", source, bases=["busybox"])
    wait_until(lambda: bool(_processes(mark)), "the daemon never ran it")
    mortal.kill()
    _, errors = process.communicate(timeout=60)
    for number in _processes(mark):
        os.kill(number, signal.SIGKILL)
    assert process.returncode == 5, errors.decode()
    assert b"error[transport]" in errors
    assert b"Traceback" not in errors


def _kill(processes: Iterable[str]) -> None:
    for process in processes:
        os.kill(int(process), signal.SIGKILL)


def _processes(word: str) -> list[int]:
    found = subprocess.run(["pgrep", "-f", f"^sleep {word}"], capture_output=True, text=True, check=False).stdout
    return [int(number) for number in found.split()]
