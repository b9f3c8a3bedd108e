"""Where the bytes of an output go: stdout, a pipe or a device as it is, a file that appears whole or not at all."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Final

from ..transports.destination import writing_failure

Sink = Callable[[bytes], None]
_STDOUT: Final = 1


@contextmanager
def destination(path: str) -> Iterator[Sink]:
    """Where to write: ``-`` is stdout; a regular file is replaced when the block ends without an exception."""
    if path == "-":
        yield _write_all(_STDOUT, "standard output")
    elif _is_special(path):
        with _opened(path, os.O_WRONLY) as descriptor:
            yield _write_all(descriptor, path)
    else:
        partial = f"{path}.{os.getpid()}.partial"
        try:
            with _opened(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC) as descriptor:
                yield _write_all(descriptor, path)
            _replace(partial, path)
        except BaseException:
            with suppress(OSError):  # an error here would hide why the block ended
                os.unlink(partial)
            raise


def _replace(partial: str, path: str) -> None:
    try:
        os.replace(partial, path)
    except OSError as error:
        raise writing_failure(path, error) from error


def _is_special(path: str) -> bool:
    """Whether there is something else than a regular file: a pipe or a device is written to as it is."""
    try:
        return not stat.S_ISREG(os.stat(path).st_mode)
    except FileNotFoundError:
        return False
    except OSError as error:
        raise writing_failure(path, error) from error


@contextmanager
def _opened(path: str, flags: int) -> Iterator[int]:
    try:
        descriptor = os.open(path, flags | os.O_CLOEXEC, 0o666)
    except OSError as error:
        raise writing_failure(path, error) from error
    try:
        yield descriptor
    except BaseException:
        os.close(descriptor)
        raise
    try:
        os.close(descriptor)  # where quotas and network file systems say that it did not fit
    except OSError as error:
        raise writing_failure(path, error) from error


def _write_all(descriptor: int, name: str) -> Sink:
    def write(data: bytes) -> None:
        rest = memoryview(data)
        try:
            while rest:
                rest = rest[os.write(descriptor, rest) :]
        except OSError as error:
            if descriptor == _STDOUT and error.errno == errno.EPIPE:
                raise  # nobody listens: no failure, but the end
            raise writing_failure(name, error) from error

    return write
