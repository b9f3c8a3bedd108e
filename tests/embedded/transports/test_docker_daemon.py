"""Images into and out of real daemons: the oracle's Docker, and Podman by its socket and by its command."""

from __future__ import annotations

import hashlib
import os
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from dockerception.errors import ImageNotFoundError, TransportError
from dockerception.transports import docker_archive, docker_daemon
from dockerception.transports.spec import open_source, parse
from support.docker import Docker
from support.tools import need, need_root
from unit.transports.images import AMD64, config_of, outgoing, tar_of

LAYER = tar_of({"bin/app": b"one" * 5000})
NAME = "transport-daemon-test:1"
IMAGE = f"sha256:{hashlib.sha256(config_of(LAYER)).hexdigest()}"


@pytest.fixture(autouse=True)
def no_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Nothing of the person who runs the tests."""
    for name in ("DOCKER_HOST", "DOCKER_CONTEXT", "CONTAINER_HOST"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path / "config"))


def archive() -> Iterator[bytes]:
    return docker_archive.chunks(outgoing(LAYER, names=(NAME,)))


def test_docker_takes_and_gives(docker: Docker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{docker.socket}")
    assert docker_daemon.load(archive()) == NAME
    assert docker.inspect(NAME)["Id"] == IMAGE
    for name in (NAME, IMAGE):
        image = open_source(
            parse(f"docker-daemon:{name}"), platform=AMD64, scratch=str(tmp_path), log=lambda line: None
        )
        assert image.identity == IMAGE
        assert image.config_bytes == config_of(LAYER)
        with image.read_layer(0) as read:
            assert b"".join(iter(lambda: read(4096), b"")) == LAYER
        image.close()
    docker.command("rmi", NAME)
    with pytest.raises(ImageNotFoundError, match=f"has no image {NAME}"):
        docker_daemon.open_image(NAME, platform=AMD64, spool=str(tmp_path / "spool"))


def test_a_docker_context_leads_to_the_daemon(docker: Docker, monkeypatch: pytest.MonkeyPatch) -> None:
    create = ["context", "create", "oracle", "--docker", f"host=unix://{docker.socket}"]
    environment = {key: value for key, value in os.environ.items() if key != "DOCKER_HOST"}
    subprocess.run([docker.program, *create], check=True, capture_output=True, env=environment)
    monkeypatch.setenv("DOCKER_CONTEXT", "oracle")
    assert docker_daemon.load(archive(), "docker") == NAME
    docker.command("rmi", NAME)
    monkeypatch.setenv("DOCKER_CONTEXT", "other")
    with pytest.raises(TransportError, match="no Docker context “other”"):
        docker_daemon.load(archive(), "docker")


def test_docker_refuses_what_is_no_image(docker: Docker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{docker.socket}")
    with pytest.raises(TransportError, match=r"Docker (refused|failed)"):
        docker_daemon.load([tar_of({"manifest.json": b"[{}]"})], "docker")


@pytest.fixture
def podman() -> Iterator[str]:
    """The address of a Podman service of its own, in folders whose paths are short enough for it."""
    need_root()
    with tempfile.TemporaryDirectory(prefix="t") as folder:
        storage = ["--root", f"{folder}/root", "--runroot", f"{folder}/run", "--storage-driver", "vfs"]
        service = subprocess.Popen([need("podman"), *storage, "system", "service", "--time=0", f"unix://{folder}/s"])
        try:
            for _ in range(200):
                if Path(folder, "s").exists():
                    break
                time.sleep(0.05)
            yield f"unix://{folder}/s"
        finally:
            service.terminate()
            service.wait()


def test_podman_takes_by_its_socket(podman: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CONTAINER_HOST", podman)
    assert docker_daemon.load(archive(), "podman").endswith(NAME)


def test_podman_takes_by_its_command(monkeypatch: pytest.MonkeyPatch) -> None:
    need_root()
    podman = need("podman")
    with tempfile.TemporaryDirectory(prefix="t") as folder:
        config = Path(folder, "storage.conf")
        config.write_text(f'[storage]\ndriver="vfs"\ngraphroot="{folder}/root"\nrunroot="{folder}/run"\n')
        monkeypatch.setenv("CONTAINERS_STORAGE_CONF", str(config))
        monkeypatch.setattr(docker_daemon, "podman_client", lambda: None)
        assert docker_daemon.load(archive(), "podman").endswith(NAME)
        listed = subprocess.run([podman, "images", "--no-trunc", "--quiet"], capture_output=True, text=True, check=True)
        assert listed.stdout.strip() == IMAGE
        with pytest.raises(TransportError, match="“podman load” exited with code 125"):
            docker_daemon.load([b"no archive"], "podman")


def test_nobody_answers(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("CONTAINER_HOST", f"unix://{tmp_path}/nobody")
    monkeypatch.setattr("dockerception.process.find", lambda tool: None)
    with pytest.raises(TransportError, match="No Podman answers"):
        docker_daemon.load(archive(), "podman")
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/nobody")
    with pytest.raises(TransportError, match="No daemon answers at unix"):
        docker_daemon.load(archive(), "docker")
