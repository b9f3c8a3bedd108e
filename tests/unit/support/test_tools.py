"""A missing tool skips a test on a laptop and fails it in CI."""

from __future__ import annotations

import pytest
from _pytest.outcomes import Failed, Skipped

from support.tools import need


def test_a_tool_that_is_there_is_found_by_its_path() -> None:
    assert need("sh").endswith("/sh")


def test_a_missing_tool_skips(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CI", raising=False)
    with pytest.raises(Skipped, match="“no-such-tool” is missing"):
        need("no-such-tool")


def test_a_missing_tool_fails_in_ci(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CI", "true")
    with pytest.raises(Failed, match="“no-such-tool” is missing"):
        need("no-such-tool")
