"""A command on a terminal of its own, which a test can type on, stop reading, and close."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import struct
import subprocess
import termios
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

_MOMENT = 0.3
_SIZE = struct.pack("HHHH", 24, 80, 0, 0)


class Terminal:
    """Runs a command in a new session whose terminal this is; its stdin, stdout and stderr are the terminal.

    ``output`` is what has been read of it.  With ``is_read`` false nobody reads, and the command's writes stop when the
    terminal's buffer is full.
    """

    def __init__(
        self,
        command: Sequence[str | Path],
        environment: Mapping[str, str],
        *,
        is_read: bool = True,
        prepare: Callable[[], None] = lambda: None,
    ) -> None:
        self._master, inner = pty.openpty()
        fcntl.ioctl(inner, termios.TIOCSWINSZ, _SIZE)
        self.output = b""

        def begin() -> None:
            fcntl.ioctl(inner, termios.TIOCSCTTY, 0)
            prepare()

        self.process = subprocess.Popen(
            command,
            stdin=inner,
            stdout=inner,
            stderr=inner,
            env={**environment, "TERM": "xterm"},
            start_new_session=True,
            preexec_fn=begin,  # noqa: PLW1509  the threads of a test hold no lock that it needs
        )
        os.close(inner)
        self._is_closed = False
        self._reader = threading.Thread(target=self._read, daemon=True)
        if is_read:
            self._reader.start()

    def type(self, keys: bytes) -> None:
        """Press keys."""
        os.write(self._master, keys)

    def is_full(self) -> bool:
        """Whether nothing more goes into the terminal, so that whoever writes to it waits."""
        before = self._unread()
        time.sleep(_MOMENT)
        return before > 0 and before == self._unread()

    def close(self) -> None:
        """Close the terminal, as a window or a connection is closed.  Idempotent."""
        if not self._is_closed:
            self._is_closed = True
            if self._reader.ident is not None:
                self._reader.join()  # the kernel closes nothing that somebody still reads
            os.close(self._master)

    def _unread(self) -> int:
        return int.from_bytes(fcntl.ioctl(self._master, termios.FIONREAD, bytes(4)), "little")

    def _read(self) -> None:
        while not self._is_closed:
            if select.select([self._master], [], [], _MOMENT / 10)[0]:
                try:
                    self.output += os.read(self._master, 1 << 16)
                except OSError:
                    return  # nobody has it open any more
