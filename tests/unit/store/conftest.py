"""A store in a temporary directory."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from dockerception.store.store import Store


@pytest.fixture
def root(tmp_path: Path) -> str:
    """Where the test's store is."""
    return str(tmp_path / "store")


@pytest.fixture
def store(root: str) -> Iterator[Store]:
    """An open store."""
    with Store(root) as opened:
        yield opened
