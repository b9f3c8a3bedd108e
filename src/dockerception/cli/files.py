"""Files that commands write for the user: complete, or not there."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from ..errors import StoreError, UsageError
from . import output

Write = Callable[[bytes], None]


def check_writable(path: str, option: str) -> None:
    """Raise ``UsageError`` where a file could not be made, before any work is done for it."""
    folder = os.path.dirname(os.path.abspath(path))
    if os.path.isdir(path):
        raise UsageError(f"{option}: {path} is a directory.", hint="name a file")
    if not os.path.isdir(folder):
        raise UsageError(f"{option}: there is no directory {folder}.", hint="make it first")
    if not os.access(folder, os.W_OK):
        raise UsageError(f"{option}: {folder} is not writable.")


@contextmanager
def whole_file(path: str) -> Iterator[Write]:
    """A writer to a file that appears at ``path`` when the block ends well, replacing what was there.

    Devices and fifos are written to as they are.  Raises ``DiskFullError`` and ``StoreError``.
    """
    try:
        with _special(path) if _is_special(path) else _beside(path) as write:
            yield write
    except OSError as error:
        raise _failure(path, error) from error


@contextmanager
def stdout_or_file(path: str) -> Iterator[Write]:
    """``whole_file``, or stdout for ``-``; raises ``UsageError`` rather than write to a terminal."""
    if path != "-":
        with whole_file(path) as write:
            yield write
        return
    if output.is_terminal():
        raise terminal_error()
    yield output.data


def terminal_error() -> UsageError:
    """The error for binary data that a person would see."""
    return UsageError("stdout is a terminal, and a tar archive would be written to it.", hint="use -o FILE, or a pipe")


def write_text(path: str, text: str) -> None:
    """Write a small text file, whole or not at all."""
    with whole_file(path) as write:
        write(text.encode(errors="surrogateescape"))


@contextmanager
def _beside(path: str) -> Iterator[Write]:
    temporary = os.path.join(os.path.dirname(os.path.abspath(path)), f".dockerception-{os.getpid()}.partial")
    try:
        with open(temporary, "wb", buffering=0) as file:
            yield _all_of(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        with suppress(OSError):  # an error here would hide why the block ended
            os.unlink(temporary)
        raise


@contextmanager
def _special(path: str) -> Iterator[Write]:
    with open(path, "wb", buffering=0) as file:
        yield _all_of(file.fileno())


def _all_of(descriptor: int) -> Write:
    def write(chunk: bytes) -> None:
        rest = memoryview(chunk)
        while rest:
            rest = rest[os.write(descriptor, rest) :]

    return write


def _is_special(path: str) -> bool:
    try:
        return not stat.S_ISREG(os.stat(path).st_mode)
    except FileNotFoundError:
        return False


def _failure(path: str, error: OSError) -> StoreError:
    from ..store.disk import output_error

    return output_error(path, error) or StoreError(f"{path} can't be written: {error.strerror or error}.")
