"""The plugin of Docker's command line, called by a real one."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from support.docker import Docker

PLUGIN = Path(sys.executable).with_name("docker-dockerception")


@pytest.fixture
def config(docker: Docker, tmp_path: Path) -> Path:
    """A configuration folder of Docker's client with our plugin, and with buildx if there is one."""
    plugins = tmp_path / "config" / "cli-plugins"
    shutil.copytree(docker.config / "cli-plugins", plugins, symlinks=True)
    (plugins / "docker-dockerception").symlink_to(PLUGIN)
    return plugins.parent


def call(docker: Docker, config: Path, store: Path, *arguments: str | Path) -> subprocess.CompletedProcess[bytes]:
    """Call ``docker ARGUMENTS…`` with a client that knows the plugin."""
    programs = store.parent / "programs"
    programs.mkdir(exist_ok=True)
    if not (programs / "docker").exists():
        (programs / "docker").symlink_to(docker.program)
    kept = {name: os.environ[name] for name in ("HOME", "LANG") if name in os.environ}
    environment = {**kept, "PATH": f"{programs}:{os.environ['PATH']}", "DOCKERCEPTION_HOME": str(store)}
    return subprocess.run(
        [docker.program, "--config", config, "--host", f"unix://{docker.socket}", *arguments],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        env=environment,
        check=False,
    )


def test_docker_lists_it(docker: Docker, config: Path, tmp_path: Path) -> None:
    shown = call(docker, config, tmp_path / "store", "info", "--format", "{{json .ClientInfo.Plugins}}")
    assert shown.returncode == 0, shown.stderr.decode()
    (found,) = [plugin for plugin in json.loads(shown.stdout) if plugin["Name"] == "dockerception"]
    assert found["SchemaVersion"] == "0.1.0"
    assert found["ShortDescription"]
    assert not found.get("Err")


def test_docker_dockerception_builds_in_the_daemon(docker: Docker, config: Path, tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.mkdir()
    (source / "Dockerfile").write_text("FROM scratch\nCOPY Dockerfile /\nLABEL by=plugin\n")
    done = call(docker, config, tmp_path / "store", "dockerception", "assemble", "-t", "by-plugin", source)
    assert done.returncode == 0, done.stderr.decode()
    assert docker.inspect("by-plugin")["Config"]["Labels"] == {"by": "plugin"}
    docker.command("rmi", "by-plugin")


def test_an_error_comes_through_with_its_exit_code(docker: Docker, config: Path, tmp_path: Path) -> None:
    done = call(docker, config, tmp_path / "store", "dockerception", "assemble", tmp_path / "nowhere")
    assert done.returncode == 4, done.stderr.decode()
    assert b"error[" in done.stderr
