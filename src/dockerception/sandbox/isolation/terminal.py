"""The window size of a container's terminal.  Runtimes relay the bytes; not every one of them relays the size."""

from __future__ import annotations

import fcntl
import os
import struct
import termios

_SIZE = struct.Struct("HHHH")  # winsize of tty_ioctl(2): rows, columns, and two that nobody uses


def size(descriptor: int) -> tuple[int, int]:
    """Rows and columns of a terminal; zeros where it is none, or does not know."""
    try:
        answer = fcntl.ioctl(descriptor, termios.TIOCGWINSZ, bytes(_SIZE.size))
    except OSError:
        return 0, 0
    rows, columns, _, _ = _SIZE.unpack(answer)
    return rows, columns


def resize(process: int, outer: int) -> None:
    """Give the terminal on stdin of ``process`` the size of ``outer``; the kernel then signals those who use it."""
    rows, columns = size(outer)
    try:
        # What the process has there may have changed: never wait for it, and never become its owner.
        inner = os.open(f"/proc/{process}/fd/0", os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return
    try:
        fcntl.ioctl(inner, termios.TIOCSWINSZ, _SIZE.pack(rows, columns, 0, 0))
    except OSError:
        pass  # it has closed or replaced its terminal
    finally:
        os.close(inner)
