"""The one way into the store: all or nothing, and a full disk has its name."""

from __future__ import annotations

import errno
import hashlib
import os
from pathlib import Path

import pytest

from dockerception.errors import DiskFailedError, DiskFullError, StoreError
from dockerception.store.durable import HashedFile


def _raise(number: int) -> None:
    raise OSError(number, os.strerror(number))


def test_a_file_appears_whole_under_its_name(tmp_path: Path) -> None:
    final = tmp_path / "final"
    with HashedFile(str(tmp_path / "new")) as file:
        file.write(b"one ")
        file.write(memoryview(b"two"))
        assert not final.exists()
        assert file.size == 7
        assert file.digest.hex == hashlib.sha256(b"one two").hexdigest()
        file.commit(str(final))
    assert final.read_bytes() == b"one two"
    assert os.listdir(tmp_path) == ["final"]


def test_views_of_wider_items_count_in_bytes(tmp_path: Path) -> None:
    words = memoryview(b"abcdefgh").cast("I")
    with HashedFile(str(tmp_path / "new")) as file:
        file.write(words)
        assert file.size == 8
        file.commit(str(tmp_path / "final"))
    assert (tmp_path / "final").read_bytes() == b"abcdefgh"


def test_what_is_not_committed_is_removed(tmp_path: Path) -> None:
    with HashedFile(str(tmp_path / "new")) as file:
        file.write(b"some")
    assert os.listdir(tmp_path) == []


def test_a_file_that_has_the_name_stays(tmp_path: Path) -> None:
    final = tmp_path / "final"
    final.write_bytes(b"same")
    before = final.stat()
    with HashedFile(str(tmp_path / "new")) as file:
        file.write(b"same")
        file.commit(str(final))
    assert final.stat() == before
    assert os.listdir(tmp_path) == ["final"]


def test_no_other_file_is_overwritten_while_it_is_written(tmp_path: Path) -> None:
    (tmp_path / "new").write_bytes(b"somebody's")
    with pytest.raises(StoreError):
        HashedFile(str(tmp_path / "new"))
    assert (tmp_path / "new").read_bytes() == b"somebody's"


@pytest.mark.parametrize(
    ("call", "error", "kind"),
    [
        ("fsync", errno.ENOSPC, DiskFullError),
        ("fsync", errno.EDQUOT, DiskFullError),
        ("fsync", errno.EIO, DiskFailedError),
        ("fsync", errno.EINVAL, StoreError),
        ("rename", errno.ENOSPC, DiskFullError),
    ],
)
def test_a_commit_that_fails_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str, error: int, kind: type[StoreError]
) -> None:
    def write() -> None:
        with HashedFile(str(tmp_path / "new")) as file:
            file.write(b"data")
            monkeypatch.setattr(os, call, lambda *arguments: _raise(error))
            file.commit(str(tmp_path / "final"))

    with pytest.raises(StoreError) as caught:
        write()
    assert type(caught.value) is kind
    assert os.listdir(tmp_path) == []
