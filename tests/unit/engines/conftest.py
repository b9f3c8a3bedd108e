"""A lab for each test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from dockerception.sandbox.client import Sandbox
from unit.engines.lab import Lab, new_lab


@pytest.fixture
def lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Lab]:
    """An engine that can't start a sandbox."""

    def refuse(self: Sandbox, *arguments: object) -> None:
        raise AssertionError("a sandbox was asked for")

    monkeypatch.setattr(Sandbox, "call", refuse)
    monkeypatch.setattr(Sandbox, "start", refuse)
    with new_lab(tmp_path / "store") as lab:
        yield lab
