"""The user's config file: what it says, and what is wrong with it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from dockerception import user_config
from dockerception.errors import UsageError
from dockerception.transports.registry.hosts import Settings
from dockerception.user_config import RegistryConfig

Write = Callable[[str], object]


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Write:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.setenv("HOME", "/home/me")
    (tmp_path / "dockerception").mkdir()
    return (tmp_path / "dockerception" / "config.toml").write_text


EVERYTHING = """
engine = "buildx:cluster"
keep-storage = "1.5g"
[registries."docker.io"]
mirrors = ["one.example", "http://two.example/hub"]
[registries."lan:5000"]
insecure = true
ca = "~/ca.pem"
"""


def test_no_file_says_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    assert user_config.load() == user_config.UserConfig(path=f"{tmp_path}/dockerception/config.toml")


def test_every_key(write: Write) -> None:
    write(EVERYTHING)
    found = user_config.load()
    assert found.engine == "buildx:cluster"
    assert found.keep_storage == 3 << 29
    assert found.registries == {
        "docker.io": RegistryConfig(mirrors=("one.example", "http://two.example/hub")),
        "lan:5000": RegistryConfig(insecure=True, ca=("/home/me/ca.pem",)),
    }


def test_all_mistakes_are_told_together(write: Write) -> None:
    more = 'keep-storage = "much"\n'
    write(
        more + 'engine = 1\nmotor = "x"\n[registries]\na = 1\n[registries.b]\ninsecure = "yes"\nmirrors = [""]\nx = 1\n'
    )
    with pytest.raises(UsageError) as caught:
        user_config.load()
    for mistake in (
        "engine is not a text",
        "keep-storage is not a size such as 50g, or none",
        "motor is unknown",
        'registries."a" is not a table',
        'registries."b".insecure is not true or false',
        'registries."b".mirrors is not a list of texts',
        'registries."b".x is unknown',
    ):
        assert mistake in caught.value.message
    assert "config.toml" in caught.value.message
    assert "mirrors, insecure, ca" in caught.value.hint


def test_registries_are_reached_as_the_file_says(write: Write) -> None:
    write(EVERYTHING)
    settings = Settings.from_environment({})
    assert [endpoint.host for endpoint in settings.endpoints("docker.io")][:2] == ["one.example", "two.example"]
    assert settings.endpoint("lan:5000").may_be_http
    tls = settings.tls("lan:5000")
    assert (tls.ca_files, tls.is_verified) == (("/home/me/ca.pem",), False)
    assert settings.tls("other.example").is_verified


def test_variables_are_stronger(write: Write) -> None:
    write(EVERYTHING)
    settings = Settings.from_environment(
        {
            "DOCKERCEPTION_REGISTRY_MIRRORS": "docker.io=three.example",
            "DOCKERCEPTION_INSECURE_REGISTRIES": "other.example",
        }
    )
    assert [endpoint.host for endpoint in settings.endpoints("docker.io")][:-1] == ["three.example"]
    assert settings.endpoint("lan:5000").may_be_http
    assert settings.endpoint("other.example").may_be_http


def test_a_mirror_that_is_none(write: Write) -> None:
    write('[registries."docker.io"]\nmirrors = "ftp://x"\n')
    with pytest.raises(UsageError, match=r"“ftp://x” in .*config\.toml is not an address of a mirror"):
        Settings.from_environment({})
