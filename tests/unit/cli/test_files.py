"""Files that commands write for the user: whole or not at all, and the reason where one can't be written."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from dockerception.cli.files import whole_file
from dockerception.errors import DiskFailedError, DiskFullError, StoreError


def _write(path: Path, data: bytes = b"new") -> None:
    with whole_file(str(path)) as write:
        write(data)


def test_it_replaces_what_was_there(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"old")
    _write(tmp_path / "file")
    assert (tmp_path / "file").read_bytes() == b"new"
    assert os.listdir(tmp_path) == ["file"]


def test_a_place_that_is_not_there_is_the_reason(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"absent/file can't be written: No such file or directory\."):
        _write(tmp_path / "absent" / "file")


@pytest.mark.parametrize(
    ("number", "kind", "reason"),
    [
        (errno.ENOSPC, DiskFullError, "the disk is full"),
        (errno.EIO, DiskFailedError, "Input/output error"),
        (errno.EACCES, StoreError, "Permission denied"),
    ],
)
@pytest.mark.parametrize("call", ["write", "replace"])
def test_what_fails_is_the_reason_though_nothing_can_be_cleaned_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, kind: type[StoreError], reason: str, call: str
) -> None:
    def fail(*arguments: object) -> None:
        raise OSError(number, os.strerror(number))

    (tmp_path / "file").write_bytes(b"old")
    with monkeypatch.context() as patched:
        patched.setattr(os, call, fail)
        patched.setattr(os, "unlink", fail)
        with pytest.raises(StoreError, match=f"file can't be written: {reason}") as caught:
            _write(tmp_path / "file")
    assert type(caught.value) is kind
    assert (tmp_path / "file").read_bytes() == b"old"
