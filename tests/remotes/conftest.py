"""A web server with a repository, and a store."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from dockerception.store.store import Store
from support.web import Web, make_repository, running_web


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the server has: git/project.git, and files that tests add."""
    root = tmp_path_factory.mktemp("site")
    make_repository(root / "project")
    return root


@pytest.fixture
def web(site: Path) -> Iterator[Web]:
    with running_web(site) as server:
        yield server


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store(str(tmp_path / "store")) as store:
        yield store
