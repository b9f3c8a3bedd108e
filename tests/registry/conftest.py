"""Real registries, a store for each test, and Docker's client config in a folder of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from dockerception.testing import Registry
from registry.lab import Lab
from support.faulty import FaultyProxy, faulty_proxy
from support.registry import running_registry
from support.tokens import TokenService

MakeProxy = Callable[..., FaultyProxy]


@pytest.fixture(autouse=True)
def docker_config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of Docker's client config; no variable of the caller's reaches the tests."""
    folder = tmp_path / "docker"
    monkeypatch.setenv("DOCKER_CONFIG", str(folder))
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.delenv("DOCKERCEPTION_INSECURE_REGISTRIES", raising=False)
    monkeypatch.delenv("DOCKERCEPTION_REGISTRY_MIRRORS", raising=False)
    return folder


@pytest.fixture(scope="session")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A plain registry; tests take repositories of their own."""
    with running_registry(tmp_path_factory.mktemp("registry")) as address:
        yield address


@pytest.fixture(params=["debian", "testing"])
def either(request: pytest.FixtureRequest) -> Iterator[str]:
    """The real registry, and the one of ``dockerception.testing``, which must do the same."""
    if request.param == "debian":
        yield request.getfixturevalue("registry")
        return
    with Registry() as own:
        yield own.address


@pytest.fixture
def repository(request: pytest.FixtureRequest) -> str:
    """A path that no other test uses."""
    return (
        "".join(letter if letter.isalnum() else "-" for letter in request.node.name.lower()).strip("-")[:60].strip("-")
    )


@pytest.fixture
def make_proxy(registry: str) -> Iterator[MakeProxy]:
    """A function that puts a proxy in front of the registry."""
    with ExitStack() as stack:

        def make(tokens: TokenService | None = None, upstream: str = "") -> FaultyProxy:
            return stack.enter_context(faulty_proxy(upstream or registry, tokens))

        yield make


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    """A store of the test's own."""
    found = Lab(tmp_path)
    yield found
    found.store.close()


@pytest.fixture
def make_lab(tmp_path: Path) -> Iterator[Callable[[str], Lab]]:
    """A function that gives further stores, by name."""
    with ExitStack() as stack:

        def make(name: str) -> Lab:
            folder = tmp_path / name
            folder.mkdir()
            found = Lab(folder)
            stack.callback(found.store.close)
            return found

        yield make
