"""Daemons that are reached by TLS, by SSH, and by what a context of Docker's says: the pipe, start to end."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path

import msgspec
import pytest

from engines.lab import Daemon, Lab
from faults.program import Failure
from support.reach import over_ssh, over_tls
from support.registry import Tls, make_tls

PIPE = "FROM busybox\nRUN mkdir /out && echo FROM scratch > /out/Dockerfile\nCMD tar -c -C /out .\n"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """The smallest builder."""
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "Dockerfile").write_text(PIPE.replace("echo FROM scratch", "printf 'FROM scratch\\nLABEL far=away\\n'"))
    return folder


@pytest.fixture(scope="module")
def tls(tmp_path_factory: pytest.TempPathFactory) -> Tls:
    return make_tls(tmp_path_factory.mktemp("tls"))


@pytest.fixture
def port(lab: Lab, tls: Tls) -> Iterator[int]:
    with over_tls(_socket(lab), tls) as found:
        yield found


def _socket(lab: Lab) -> Path:
    assert lab.daemon is not None
    return Path(lab.daemon.variables["DOCKER_HOST"].removeprefix("unix://"))


def _reached(lab: Lab, variables: Mapping[str, str]) -> Lab:
    """The same daemon, found in another way."""
    assert lab.daemon is not None
    known = {**lab.daemon.variables, **variables}
    return msgspec.structs.replace(lab, daemon=Daemon(variables=known, connect=lab.daemon.connect))


def _certificates(tls: Tls, folder: Path) -> Path:
    folder.mkdir()
    for name, path in (("ca.pem", tls.authority), ("cert.pem", tls.certificate), ("key.pem", tls.key)):
        (folder / name).write_bytes(Path(path).read_bytes())
    return folder


BOTH_BUILDERS = pytest.mark.parametrize("lab", ["docker", "docker-classic"], indirect=True)
ONE_BUILDER = pytest.mark.parametrize("lab", ["docker"], indirect=True)


@BOTH_BUILDERS
def test_tls(lab: Lab, port: int, tls: Tls, tmp_path: Path, project: Path) -> None:
    variables = {
        "DOCKER_HOST": f"tcp://127.0.0.1:{port}",
        "DOCKER_TLS_VERIFY": "1",
        "DOCKER_CERT_PATH": str(_certificates(tls, tmp_path / "certificates")),
    }
    _reached(lab, variables).succeed("build", "-t", "by-tls", project, bases=["busybox"])
    assert "by-tls:latest" in lab.names()
    lab.remove("by-tls")


@ONE_BUILDER
def test_certificates_that_the_daemon_or_we_do_not_take(
    lab: Lab, port: int, tls: Tls, tmp_path: Path, project: Path
) -> None:
    folder = _certificates(tls, tmp_path / "certificates")
    stranger = make_tls(tmp_path / "stranger")
    (folder / "ca.pem").write_bytes(Path(stranger.authority).read_bytes())
    variables = {"DOCKER_HOST": f"tcp://127.0.0.1:{port}", "DOCKER_TLS_VERIFY": "1", "DOCKER_CERT_PATH": str(folder)}
    failure = Failure(5, "transport", f"No daemon answers at tcp://127.0.0.1:{port}", "DOCKER_HOST", "(?i)certificate")
    failure.check(_reached(lab, variables).run("build", project, bases=["busybox"]))
    (folder / "ca.pem").unlink()
    missing = Failure(5, "transport", "No daemon answers at", "DOCKER_HOST", "(?i)tls|ca.pem")
    missing.check(_reached(lab, variables).run("build", project, bases=["busybox"]))


@ONE_BUILDER
def test_a_context_of_docker_with_certificates(lab: Lab, port: int, tls: Tls, tmp_path: Path, project: Path) -> None:
    assert lab.daemon is not None
    folder = _certificates(tls, tmp_path / "certificates")
    config = tmp_path / "config"
    config.mkdir()
    (config / "cli-plugins").symlink_to(Path(lab.daemon.variables["DOCKER_CONFIG"]) / "cli-plugins")
    variables = {**lab.environment, "DOCKER_CONFIG": str(config)}
    variables.pop("DOCKER_HOST")
    files = f"ca={folder}/ca.pem,cert={folder}/cert.pem,key={folder}/key.pem"
    create = ["docker", "context", "create", "far", "--docker", f"host=tcp://127.0.0.1:{port},{files}"]
    subprocess.run(create, env=variables, check=True, capture_output=True)
    subprocess.run(["docker", "context", "use", "far"], env=variables, check=True, capture_output=True)
    by_context = _reached(lab, {"DOCKER_CONFIG": str(config), "DOCKER_HOST": ""})
    by_context.succeed("build", "-t", "by-context", project, bases=["busybox"])
    assert "by-context:latest" in lab.names()
    lab.remove("by-context")


@BOTH_BUILDERS
@pytest.mark.filterwarnings("ignore:coroutine 'Event.wait':RuntimeWarning")  # asyncssh, when a client hangs up
def test_ssh(lab: Lab, tmp_path: Path, project: Path) -> None:
    assert lab.daemon is not None
    with over_ssh(tmp_path, lab.daemon.variables) as port:
        variables = {
            "DOCKER_HOST": f"ssh://me@127.0.0.1:{port}",
            "PATH": f"{tmp_path}/bin:{lab.daemon.variables['PATH']}",
        }
        _reached(lab, variables).succeed("build", "-t", "by-ssh", project, bases=["busybox"])
        assert "by-ssh:latest" in lab.names()
        lab.remove("by-ssh")
        (tmp_path / "key").unlink()
        refused = Failure(5, "transport", f"No daemon answers at ssh://me@127.0.0.1:{port}", "DOCKER_HOST")
        refused.check(_reached(lab, variables).run("build", project, bases=["busybox"]))
