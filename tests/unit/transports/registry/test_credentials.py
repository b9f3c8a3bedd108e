"""Docker's config.json: whose credentials are whose, and what is wrong with a file."""

from __future__ import annotations

import base64
import json
import os
import stat
from pathlib import Path

import pytest

from dockerception.errors import TransportError
from dockerception.transports.registry.credentials import (
    Credentials,
    config_path,
    find_credentials,
    helper_for,
    names_host,
)
from dockerception.transports.registry.login import forget, remember

HUB = "https://index.docker.io/v1/"


def auth(username: str, password: str) -> dict[str, str]:
    return {"auth": base64.b64encode(f"{username}:{password}".encode()).decode()}


def written(folder: Path, document: object) -> str:
    path = folder / "config.json"
    path.write_text(document if isinstance(document, str) else json.dumps(document))
    return str(path)


@pytest.mark.parametrize(
    ("domain", "entries", "user"),
    [
        ("docker.io", {HUB: auth("hub", "x")}, "hub"),
        ("docker.io", {"index.docker.io": auth("hub", "x")}, "hub"),
        ("docker.io", {"docker.io": auth("hub", "x")}, "hub"),
        ("ghcr.io", {"ghcr.io": auth("me", "x")}, "me"),
        ("ghcr.io", {"https://ghcr.io": auth("me", "x")}, "me"),
        ("ghcr.io", {"https://ghcr.io/v2/": auth("me", "x")}, "me"),
        ("ghcr.io", {"GHCR.io": auth("me", "x")}, "me"),
        ("ghcr.io", {"https://ghcr.io/v1/": auth("old", "x"), "ghcr.io": auth("me", "x")}, "me"),
        ("host:5000", {"host:5000": {"username": "plain", "password": "y"}}, "plain"),
        ("host:5000", {"host": auth("other port", "x")}, None),
        ("ghcr.io", {"evil-ghcr.io": auth("x", "x"), "ghcr.io.evil": auth("x", "x")}, None),
        ("ghcr.io", {"ghcr.io": {}}, None),
        ("ghcr.io", {"ghcr.io": "odd"}, None),
        ("ghcr.io", [], None),
    ],
)
def test_entries(tmp_path: Path, domain: str, entries: object, user: str | None) -> None:
    found = find_credentials(domain, written(tmp_path, {"auths": entries}))
    assert (found.username if found else None) == user


def test_passwords_may_hold_colons_and_old_clients_padded_them(tmp_path: Path) -> None:
    path = written(tmp_path, {"auths": {"a.io": auth("me", "a:b:c"), "b.io": auth("me", "pad\0\0")}})
    assert find_credentials("a.io", path) == Credentials(username="me", password="a:b:c")
    assert find_credentials("b.io", path) == Credentials(username="me", password="pad")


def test_tokens(tmp_path: Path) -> None:
    entry = {**auth("me", ""), "identitytoken": "one"}
    path = written(tmp_path, {"auths": {"a.io": entry, "b.io": {"registrytoken": "two"}}})
    assert find_credentials("a.io", path) == Credentials(username="me", identity_token="one")
    assert find_credentials("b.io", path) == Credentials(registry_token="two")


@pytest.mark.parametrize("text", ["", "{}", '{"auths": {}}'])
def test_an_empty_config(tmp_path: Path, text: str) -> None:
    assert find_credentials("a.io", written(tmp_path, text)) is None


def test_no_config(tmp_path: Path) -> None:
    assert find_credentials("a.io", str(tmp_path / "none" / "config.json")) is None


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ("{", "is not a valid document"),
        ("[]", "is not a valid document"),
        ({"auths": {"a.io": {"auth": "%%%"}}}, "an “auth” that is not Base64"),
        ({"credsStore": "../../bin/sh"}, "which can't be one"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, document: object, message: str) -> None:
    with pytest.raises(TransportError, match=message):
        find_credentials("a.io", written(tmp_path, document))


def test_helpers_for_one_come_before_the_general_one() -> None:
    config = {"credHelpers": {"gcr.io": "gcloud", "odd.io": 3}, "credsStore": "pass"}
    assert [helper_for(name, config) for name in ("gcr.io", "odd.io", "docker.io")] == ["gcloud", "pass", "pass"]
    assert helper_for("gcr.io", {"credHelpers": {"gcr.io": ""}, "credsStore": "pass"}) == ""


def test_where_the_config_is() -> None:
    assert config_path({"DOCKER_CONFIG": "/x"}) == "/x/config.json"
    assert config_path({}) == os.path.expanduser("~/.docker/config.json")


def test_secrets_are_not_in_the_representation() -> None:
    shown = repr(Credentials(username="me", password="secret", identity_token="secret"))
    assert "me" in shown
    assert "secret" not in shown


def test_names_of_docker_s_own_registry() -> None:
    assert all(names_host(name, "docker.io") for name in (HUB, "docker.io", "registry-1.docker.io"))
    assert not names_host("auth.docker.io", "docker.io")


def test_what_else_is_in_the_config_stays(tmp_path: Path) -> None:
    before = {"detachKeys": "ctrl-e", "auths": {"b.io": auth("b", "b")}, "HttpHeaders": {"A": "b"}}
    path = written(tmp_path, before)
    os.chmod(path, 0o644)
    assert remember("a.io", Credentials(username="me", password="é"), path) == path
    after = json.loads(Path(path).read_text())
    assert after == {**before, "auths": {**before["auths"], "a.io": auth("me", "é")}}  # type: ignore[dict-item]
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o600
    assert forget("a.io", path)
    assert json.loads(Path(path).read_text()) == before
    assert os.listdir(tmp_path) == ["config.json"]


def test_docker_s_own_registry_has_docker_s_name(tmp_path: Path) -> None:
    path = str(tmp_path / "new" / "config.json")
    remember("docker.io", Credentials(username="me", password="x"), path)
    assert list(json.loads(Path(path).read_text())["auths"]) == [HUB]
    assert stat.S_IMODE(os.stat(tmp_path / "new").st_mode) == 0o700
    assert forget("docker.io", path)
    assert not forget("docker.io", path)


def test_a_config_that_is_a_link_stays_one(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "config.json").symlink_to("real/config.json")
    remember("a.io", Credentials(username="me", password="x"), str(tmp_path / "config.json"))
    assert (tmp_path / "config.json").is_symlink()
    assert find_credentials("a.io", str(tmp_path / "real" / "config.json")) is not None


def test_a_config_that_can_t_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(TransportError, match="can't be written"):
        remember("a.io", Credentials(username="me", password="x"), str(tmp_path / "file" / "config.json"))
