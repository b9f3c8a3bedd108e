"""Credentials at real registries and at a token service: from Docker's config, renewed when refused."""

from __future__ import annotations

import base64
import json
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from dockerception.errors import TransportError
from dockerception.library import registries
from dockerception.transports.registry.failures import UnauthorizedError
from registry.conftest import MakeProxy
from registry.lab import Lab
from support.faulty import Fault
from support.registry import PASSWORD, USERNAME, running_registry
from support.tokens import TokenService
from unit.transports.images import tar_of

SMALL = tar_of({"etc/one": b"1"})
OTHER = tar_of({"etc/two": b"2"})


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A registry with a password file."""
    with running_registry(tmp_path_factory.mktemp("guarded"), has_password=True) as address:
        yield address


def configure(folder: Path, **document: object) -> None:
    folder.mkdir(exist_ok=True)
    (folder / "config.json").write_text(json.dumps(document))


def entry(username: str, password: str) -> dict[str, str]:
    return {"auth": base64.b64encode(f"{username}:{password}".encode()).decode()}


def helper(folder: Path, monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    """A credential helper “test” in PATH."""
    program = folder / "docker-credential-test"
    program.write_text(f"#!/bin/sh\n{text}\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")


def test_credentials_of_the_config(lab: Lab, guarded: str, docker_config: Path, repository: str) -> None:
    configure(docker_config, auths={guarded: entry(USERNAME, PASSWORD)})
    image = lab.add(SMALL)
    lab.push(image, f"{guarded}/{repository}:1")
    assert lab.pull(f"{guarded}/{repository}:1").image.image == image.image


def test_none_at_all(lab: Lab, guarded: str) -> None:
    with pytest.raises(UnauthorizedError, match="wants credentials, and there are none") as caught:
        lab.pull(f"{guarded}/app:1")
    assert caught.value.hint == f"log in with: dockerception login {guarded}"
    with pytest.raises(UnauthorizedError):
        lab.push(lab.add(SMALL), f"{guarded}/app:1")


def test_wrong_ones(lab: Lab, guarded: str, docker_config: Path) -> None:
    configure(docker_config, auths={guarded: entry(USERNAME, "wrong")})
    with pytest.raises(UnauthorizedError, match=f"does not accept the credentials of {USERNAME}") as caught:
        lab.pull(f"{guarded}/app:1")
    assert "wrong" not in str(caught.value)


def test_a_helper_gives_them(
    lab: Lab, guarded: str, docker_config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, repository: str
) -> None:
    answer = json.dumps({"ServerURL": guarded, "Username": USERNAME, "Secret": PASSWORD})
    helper(tmp_path, monkeypatch, f"test \"$1\" = get && grep -qx '{guarded}' && echo '{answer}'")
    configure(docker_config, credHelpers={guarded: "test"}, auths={guarded: {}})
    lab.push(lab.add(SMALL), f"{guarded}/{repository}:1")


def test_a_helper_that_has_none(
    lab: Lab, guarded: str, docker_config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    helper(tmp_path, monkeypatch, "echo credentials not found in native keychain; exit 1")
    configure(docker_config, credsStore="test")
    with pytest.raises(UnauthorizedError, match="wants credentials"):
        lab.pull(f"{guarded}/app:1")


@pytest.mark.parametrize(
    ("script", "message"), [("echo no bus; exit 1", "failed to get credentials"), ("echo x", "answered no document")]
)
def test_a_helper_that_fails(
    lab: Lab,
    guarded: str,
    docker_config: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    script: str,
    message: str,
) -> None:
    helper(tmp_path, monkeypatch, script)
    configure(docker_config, credsStore="test")
    with pytest.raises(TransportError, match=message):
        lab.pull(f"{guarded}/app:1")


def test_a_helper_that_is_missing(lab: Lab, guarded: str, docker_config: Path) -> None:
    configure(docker_config, credsStore="nobody-has-this")
    with pytest.raises(TransportError, match=r"docker-credential-nobody-has-this” .* is not installed"):
        lab.pull(f"{guarded}/app:1")


def test_login_and_logout(lab: Lab, guarded: str, docker_config: Path, repository: str) -> None:
    configure(docker_config, auths={"other.example": entry("a", "b")}, psFormat="kept")
    with pytest.raises(UnauthorizedError, match="does not accept"):
        registries.login(guarded, USERNAME, "wrong")
    assert registries.login(f"https://{guarded}/v2/", USERNAME, PASSWORD) == str(docker_config / "config.json")
    path = docker_config / "config.json"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    lab.push(lab.add(SMALL), f"{guarded}/{repository}:1")
    assert registries.logout(guarded)
    assert json.loads(path.read_text()) == {"auths": {"other.example": entry("a", "b")}, "psFormat": "kept"}
    assert not registries.logout(guarded)
    assert [each.name for each in docker_config.iterdir()] == ["config.json"]


def test_login_with_a_helper(
    guarded: str, docker_config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    helper(tmp_path, monkeypatch, f'{{ echo "$1"; cat; echo; }} >> {tmp_path}/asked')
    configure(docker_config, credsStore="test")
    assert registries.login(guarded, USERNAME, PASSWORD) == "docker-credential-test"
    assert PASSWORD not in (docker_config / "config.json").read_text()
    action, document = (tmp_path / "asked").read_text().splitlines()[:2]
    assert action == "store"
    assert json.loads(document) == {"ServerURL": guarded, "Username": USERNAME, "Secret": PASSWORD}
    assert registries.logout(guarded)
    assert (tmp_path / "asked").read_text().splitlines()[-2:] == ["erase", guarded]


@pytest.mark.parametrize("username", ["", "me"])
def test_a_token_service(lab: Lab, make_proxy: MakeProxy, docker_config: Path, repository: str, username: str) -> None:
    tokens = TokenService(username, "secret" if username else "")
    proxy = make_proxy(tokens)
    if username:
        configure(docker_config, auths={proxy.address: entry("me", "secret")})
    image = lab.add(SMALL)
    lab.push(image, f"{proxy.address}/{repository}:1")
    assert tokens.asked == [[f"repository:{repository}:pull,push"]]
    assert lab.pull(f"{proxy.address}/{repository}:1").image.image == image.image
    assert tokens.asked[1:] == [[f"repository:{repository}:pull"]]
    assert all("authorization" not in each.headers for each in proxy.seen if each.path == "/v2/")


def test_an_identity_token(lab: Lab, make_proxy: MakeProxy, docker_config: Path, repository: str) -> None:
    tokens = TokenService("me", "secret", identity_token="lasting")
    proxy = make_proxy(tokens)
    configure(docker_config, auths={proxy.address: {"identitytoken": "lasting"}})
    lab.push(lab.add(SMALL), f"{proxy.address}/{repository}:1")
    assert tokens.methods == ["POST"]


@pytest.mark.parametrize("takes_get", [True, False])
def test_login_keeps_the_identity_token_that_a_service_gives(
    lab: Lab, make_proxy: MakeProxy, docker_config: Path, repository: str, takes_get: bool
) -> None:
    proxy = make_proxy(TokenService("me", "secret", identity_token="lasting", takes_get=takes_get))
    registries.login(proxy.address, "me", "secret")
    kept = json.loads((docker_config / "config.json").read_text())
    assert kept == {"auths": {proxy.address: {**entry("me", ""), "identitytoken": "lasting"}}}
    lab.push(lab.add(SMALL), f"{proxy.address}/{repository}:1")
    with pytest.raises(UnauthorizedError, match="does not accept the credentials of me"):
        registries.login(proxy.address, "me", "guess")


def test_login_gives_the_identity_token_to_a_helper(
    make_proxy: MakeProxy, docker_config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    helper(tmp_path, monkeypatch, f"cat > {tmp_path}/stored")
    configure(docker_config, credsStore="test")
    proxy = make_proxy(TokenService("me", "secret", identity_token="lasting"))
    assert registries.login(proxy.address, "me", "secret") == "docker-credential-test"
    stored = json.loads((tmp_path / "stored").read_text())
    assert stored == {"ServerURL": proxy.address, "Username": "<token>", "Secret": "lasting"}
    assert "secret" not in (docker_config / "config.json").read_text()


def test_a_service_that_knows_only_post(lab: Lab, make_proxy: MakeProxy, docker_config: Path, repository: str) -> None:
    tokens = TokenService("me", "secret", takes_get=False)
    proxy = make_proxy(tokens)
    configure(docker_config, auths={proxy.address: entry("me", "secret")})
    lab.push(lab.add(SMALL), f"{proxy.address}/{repository}:1")
    assert tokens.methods == ["GET", "POST"]


def test_a_mount_asks_for_the_other_repository_too(lab: Lab, make_proxy: MakeProxy, repository: str) -> None:
    tokens = TokenService()
    proxy = make_proxy(tokens)
    image = lab.add(SMALL)
    lab.push(image, f"{proxy.address}/{repository}/a:1")
    assert lab.push(image, f"{proxy.address}/{repository}/b:1").mounted > 0
    assert tokens.asked[-1] == [f"repository:{repository}/b:pull,push", f"repository:{repository}/a:pull"]


def test_a_token_that_expires_in_the_middle_is_renewed(lab: Lab, make_proxy: MakeProxy, repository: str) -> None:
    tokens = TokenService()
    proxy = make_proxy(tokens)
    image = lab.add(SMALL, OTHER)

    def expire(body: bytes) -> bytes:
        tokens.expire()
        return body

    for path in ("uploads/", "/blobs/sha256", "/manifests/"):
        proxy.inject(Fault(path=path, change=expire))
    lab.push(image, f"{proxy.address}/{repository}:1")
    assert len(tokens.asked) > 1
    assert lab.pull(f"{proxy.address}/{repository}:1").image.image == image.image


def test_wrong_credentials_at_a_token_service(lab: Lab, make_proxy: MakeProxy, docker_config: Path) -> None:
    proxy = make_proxy(TokenService("me", "secret"))
    configure(docker_config, auths={proxy.address: entry("me", "guess")})
    with pytest.raises(UnauthorizedError, match="does not accept the credentials of me") as caught:
        lab.pull(f"{proxy.address}/app:1")
    assert caught.value.details == "UNAUTHORIZED: incorrect credentials"
    assert proxy.count("GET", "/token") == 1


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        (Fault(path="/token", times=-1, status=200, body=b"{}"), "answered without a token"),
        (Fault(path="/token", times=-1, status=200, body=b"<html>"), "answered no valid document"),
        (Fault(path="/token", times=-1, status=500), "has failed to give a token of http:"),
        (Fault(path="/manifests/", times=-1, status=401), "wants credentials"),
    ],
)
def test_a_token_service_that_fails(lab: Lab, make_proxy: MakeProxy, fault: Fault, message: str) -> None:
    proxy = make_proxy(TokenService())
    proxy.inject(fault)
    with pytest.raises(TransportError, match=message):
        lab.pull(f"{proxy.address}/app:1")
    assert lab.names() == []
