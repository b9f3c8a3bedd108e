"""What the tests' cache keeps is made once, and whole."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from support import cache


@pytest.fixture(autouse=True)
def own_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))


def test_it_is_made_once_though_many_ask_at_the_same_time() -> None:
    made = []

    def make(path: Path) -> None:
        made.append(path)
        path.write_text("content")

    with ThreadPoolExecutor(8) as pool:
        paths = list(pool.map(lambda _: cache.once("thing", make), range(8)))
    assert len(made) == 1
    assert {path.read_text() for path in paths} == {"content"}


def test_what_failed_half_way_is_made_again() -> None:
    def fail(path: Path) -> None:
        path.mkdir()
        (path / "half").touch()
        raise OSError("the disk is full")

    with pytest.raises(OSError, match="full"):
        cache.once("thing", fail)
    assert list(cache.once("thing", Path.mkdir).iterdir()) == []


def test_another_recipe_has_another_key() -> None:
    assert cache.recipe_key("a", "bc") != cache.recipe_key("ab", "c")
    assert cache.recipe_key("a", "bc") == cache.recipe_key("a", "bc")
