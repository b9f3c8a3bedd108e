"""stdout, where data goes, and stderr, where words go.

A failing stdout is told apart from every other failing file; a failing stderr is nothing: there is nobody to be told.
"""

from __future__ import annotations

import errno
import os
import select
import sys
from contextlib import suppress

STDOUT = 1
STDERR = 2


class OutputFailed(Exception):  # noqa: N818  not an error of ours: nobody listens, or the disk behind stdout is full
    """Writing to stdout failed; ``reason`` says why."""

    def __init__(self, error: OSError) -> None:
        super().__init__(error)
        self.is_closed = error.errno == errno.EPIPE
        self.reason = error.strerror or str(error)


def text(line: str) -> None:
    """Print a text and a newline."""
    data(f"{line}\n".encode(errors="surrogateescape"))


def data(chunk: bytes | memoryview) -> None:
    """Write bytes as they are.  Nothing is buffered, so that an error shows where it happens."""
    try:
        sys.stdout.flush()
        stream = sys.stdout.buffer
        stream.write(chunk)
        stream.flush()
    except OSError as error:
        raise OutputFailed(error) from error


def words(text: str) -> None:
    """Print a text and a newline to stderr; where nobody reads that any more, they are lost."""
    with suppress(OSError):
        sys.stderr.write(f"{text}\n")
    settle()


def settle() -> None:
    """Let go of what stderr does not take; else Python would try again at its end, and change the exit code to 120."""
    try:
        sys.stderr.flush()
    except OSError:
        _to_nowhere(STDERR)


def is_terminal() -> bool:
    """Whether a person would see what is written to stdout."""
    return sys.stdout.isatty()


def is_closed() -> bool:
    """Whether nobody reads stdout any more."""
    poll = select.poll()
    poll.register(STDOUT, 0)
    return any(event & (select.POLLERR | select.POLLHUP) for _, event in poll.poll(0))


def drop() -> None:
    """Send what is still buffered, and all that follows, nowhere."""
    _to_nowhere(STDOUT)


def _to_nowhere(descriptor: int) -> None:
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, descriptor)
    os.close(null)
