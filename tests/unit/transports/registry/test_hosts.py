"""Where registries are, by what the user has set."""

from __future__ import annotations

from pathlib import Path

import pytest

from dockerception.errors import TransportError, UsageError
from dockerception.transports.registry.hosts import Settings


def settings(**variables: str) -> Settings:
    names = {"insecure": "DOCKERCEPTION_INSECURE_REGISTRIES", "mirrors": "DOCKERCEPTION_REGISTRY_MIRRORS"}
    return Settings.from_environment({names[name]: value for name, value in variables.items()})


def test_docker_s_own_registry() -> None:
    found = settings().endpoint("docker.io")
    assert (found.domain, found.host, found.may_be_http) == ("docker.io", "registry-1.docker.io", False)


@pytest.mark.parametrize(
    ("host", "insecure", "may_be_http"),
    [
        ("localhost:5000", "", True),
        ("127.0.0.1:5000", "", True),
        ("[::1]:5000", "", True),
        ("10.1.2.3:5000", "", False),
        ("10.1.2.3:5000", "10.0.0.0/8", True),
        ("reg:5000", "reg:5000", True),
        ("reg:5000", "reg", True),
        ("reg:5000", "reg:5001", False),
        ("REG.example:5000", "reg.example", True),
        ("reg.example", "example", False),
        ("reg.example", "a, b reg.example", True),
    ],
)
def test_who_may_speak_http(host: str, insecure: str, may_be_http: bool) -> None:
    assert settings(insecure=insecure).endpoint(host).may_be_http is may_be_http


def test_certificates_are_checked_but_where_it_is_marked() -> None:
    found = settings(insecure="reg:5000")
    assert not found.tls("reg:5000").is_verified
    assert found.tls("127.0.0.1:5000").is_verified
    assert found.tls("reg:5001").is_verified


def test_mirrors_come_first_in_their_order() -> None:
    found = settings(mirrors="docker.io=one:5000/cache, ghcr.io=two docker.io=http://three")
    hosts = [(each.host, each.path("library/a"), each.may_be_http) for each in found.endpoints("docker.io")]
    assert hosts == [
        ("one:5000", "cache/library/a", False),
        ("three", "library/a", True),
        ("registry-1.docker.io", "library/a", False),
    ]
    assert [each.host for each in found.endpoints("ghcr.io")] == ["two", "ghcr.io"]
    assert [each.host for each in found.endpoints("quay.io")] == ["quay.io"]


@pytest.mark.parametrize("text", ["one", "=one", "docker.io=", "docker.io=ftp://one", "docker.io=https://"])
def test_what_is_no_mirror(text: str) -> None:
    with pytest.raises(UsageError, match="mirror"):
        settings(mirrors=text)


def test_certificates_of_a_host(tmp_path: Path) -> None:
    mine, system = tmp_path / "mine", tmp_path / "system"
    (mine / "reg:5000").mkdir(parents=True)
    (system / "reg:5000").mkdir(parents=True)
    (system / "other").mkdir()
    for name in ("ca.crt", "b.crt", "client.cert", "client.key", "readme"):
        (mine / "reg:5000" / name).write_text("")
    (system / "reg:5000" / "system.crt").write_text("")
    (system / "other" / "lonely.cert").write_text("")
    found = Settings(certificate_folders=(str(mine), str(system)))
    tls = found.tls("REG:5000")
    folder = str(mine / "reg:5000")
    assert tls.ca_files == (f"{folder}/b.crt", f"{folder}/ca.crt")
    assert tls.certificates == ((f"{folder}/client.cert", f"{folder}/client.key"),)
    assert found.tls("nobody").ca_files == ()
    with pytest.raises(TransportError, match="has no key beside it"):
        found.tls("other")
