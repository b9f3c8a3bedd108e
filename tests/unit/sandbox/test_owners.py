"""Owners that a namespace has and has not."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from dockerception.errors import MachineError
from dockerception.sandbox import owners


@pytest.mark.parametrize(
    ("number", "is_there"), [(0, True), (1, True), (1000, True), (1001, False), (2000, True), (2001, False)]
)
def test_ids_of_a_map(number: int, is_there: bool) -> None:
    assert owners.is_mapped(number, "         0       1000          1\n 1 100000 1000\n2000 500 1\n") == is_there


def test_an_own_file_can_be_given_to_oneself(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("nowhere")
    owners.give(str(tmp_path / "link"), os.geteuid(), os.getegid(), "link")
    owners.check_user(os.geteuid(), os.getegid())


def test_what_is_refused_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(22, "Invalid argument")

    monkeypatch.setattr(os, "chown", refuse)
    with pytest.raises(MachineError, match="“/cache” belongs to 5:6, an owner that this user can't give") as caught:
        owners.give(str(tmp_path), 5, 6, "/cache")
    assert "--add-subuids" in caught.value.hint
