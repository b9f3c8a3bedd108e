"""Docker's contexts, as its client keeps them on disk."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from dockerception.errors import TransportError
from dockerception.transports import docker_contexts
from dockerception.transports.docker_contexts import Endpoint


@pytest.fixture(autouse=True)
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty configuration folder of Docker's client."""
    for name in ("DOCKER_HOST", "DOCKER_CONTEXT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    return tmp_path


def write_context(config: Path, name: str, endpoint: dict[str, object], *files: str) -> Path:
    """Write a context as ``docker context create`` does; returns the folder of its certificates."""
    digest = hashlib.sha256(name.encode()).hexdigest()
    meta = config / "contexts" / "meta" / digest
    meta.mkdir(parents=True)
    (meta / "meta.json").write_text(json.dumps({"Name": name, "Metadata": {}, "Endpoints": {"docker": endpoint}}))
    certificates = config / "contexts" / "tls" / digest / "docker"
    certificates.mkdir(parents=True)
    for file in files:
        (certificates / file).write_text("")
    return certificates


def test_without_a_choice_it_is_the_default(config: Path) -> None:
    assert docker_contexts.current_name() == "default"
    (config / "config.json").write_text("{}")
    assert docker_contexts.current_name() == "default"


def test_the_choices_in_their_order(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (config / "config.json").write_text('{"currentContext": "used"}')
    assert docker_contexts.current_name() == "used"
    monkeypatch.setenv("DOCKER_CONTEXT", "wanted")
    assert docker_contexts.current_name() == "wanted"
    monkeypatch.setenv("DOCKER_HOST", "tcp://host:1")
    assert docker_contexts.current_name() == "default"


def test_a_plain_context(config: Path) -> None:
    write_context(config, "plain", {"Host": "ssh://me@host", "SkipTLSVerify": False})
    assert docker_contexts.find("plain") == Endpoint(host="ssh://me@host")


def test_a_context_with_certificates(config: Path) -> None:
    endpoint = {"Host": "tcp://host:2376", "SkipTLSVerify": True}
    folder = write_context(config, "far", endpoint, "ca.pem", "cert.pem", "key.pem")
    assert docker_contexts.find("far") == Endpoint(
        host="tcp://host:2376",
        ca=str(folder / "ca.pem"),
        certificate=str(folder / "cert.pem"),
        key=str(folder / "key.pem"),
        skips_verification=True,
    )


def test_a_context_that_is_not_there(config: Path) -> None:
    with pytest.raises(TransportError, match="no Docker context “nowhere”"):
        docker_contexts.find("nowhere")
    write_context(config, "other", {})
    with pytest.raises(TransportError, match="with the address of a daemon"):
        docker_contexts.find("other")


def test_a_broken_configuration(config: Path) -> None:
    (config / "config.json").write_text("{")
    with pytest.raises(TransportError, match=r"config\.json can't be read"):
        docker_contexts.current_name()
