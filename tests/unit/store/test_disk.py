"""What a disk says, in words: full, failing, or a mere error; where; and what to do."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from dockerception.errors import DiskFailedError, DiskFullError, StoreError
from dockerception.store.disk import discard, disk_error, disk_errors, output_error


def _error(number: int, path: str | None = None) -> OSError:
    return OSError(number, os.strerror(number), path)


def test_a_full_disk_says_what_to_do() -> None:
    error = disk_error(_error(errno.ENOSPC, "/store/tmp/1"), "writing a file")
    assert isinstance(error, DiskFullError)
    assert error.message == "The disk is full: while writing a file (/store/tmp/1), No space left on device."
    assert "dockerception prune" in error.hint
    assert "DOCKERCEPTION_HOME" in error.hint


@pytest.mark.parametrize("number", [errno.EIO, errno.ENODEV, errno.ESTALE, errno.EUCLEAN])
def test_a_failing_disk_says_what_to_do(number: int) -> None:
    error = disk_error(_error(number), "writing a file", "/store/tmp/1")
    assert isinstance(error, DiskFailedError)
    assert error.exit_code == 6
    assert error.message == f"The disk fails: while writing a file (/store/tmp/1), {os.strerror(number)}."
    assert "dmesg" in error.hint


def test_other_errors_say_where() -> None:
    def read() -> None:
        with disk_errors("reading a blob", "/not this"):
            os.stat("/nowhere at all")

    with pytest.raises(StoreError) as caught:
        read()
    assert caught.value.message == "While reading a blob (/nowhere at all): No such file or directory."
    assert type(caught.value) is StoreError
    assert caught.value.hint


@pytest.mark.parametrize(
    ("path", "where", "told"),
    [
        ("/store/x", "/other", " (/store/x)"),
        ("etc/x", "/store", " (/store: etc/x)"),
        ("etc/x", "", " (etc/x)"),
        (None, "/store", " (/store)"),
        (None, "", ""),
    ],
)
def test_where_it_was(path: str | None, where: str, told: str) -> None:
    error = disk_error(_error(errno.EIO, path), "writing", where)
    assert error.message == f"The disk fails: while writing{told}, Input/output error."


def test_a_descriptor_is_told_by_its_path(tmp_path: Path) -> None:
    with (tmp_path / "spool").open("wb") as file:
        error = disk_error(_error(errno.EIO), "spooling", file.fileno())
    assert f"({tmp_path}/spool)" in error.message
    assert "(" not in disk_error(_error(errno.EIO), "spooling", 1 << 20).message


@pytest.mark.parametrize(
    ("number", "kind", "message"),
    [
        (errno.ENOSPC, DiskFullError, "/out can't be written: the disk is full."),
        (errno.EIO, DiskFailedError, "/out can't be written: Input/output error."),
        (errno.EACCES, None, ""),
    ],
)
def test_an_output(number: int, kind: Callable[..., StoreError] | None, message: str) -> None:
    error = output_error("/out", _error(number))
    assert (type(error) if error else None, error.message if error else "") == (kind, message)


def test_a_file_that_can_not_be_removed_is_left_without_a_word(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "spool").touch()
    discard(str(tmp_path / "absent"))
    with monkeypatch.context() as patched:
        patched.setattr(os, "unlink", lambda path: _fail(errno.EIO))
        discard(str(tmp_path / "spool"))
    assert (tmp_path / "spool").exists()
    discard(str(tmp_path / "spool"))
    assert not (tmp_path / "spool").exists()


def _fail(number: int) -> None:
    raise _error(number)
