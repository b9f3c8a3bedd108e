"""What pid 1 of a namespace does for free, done by a process that is not: nobody is left behind.

It adopts the descendants whose own parents end.  An orphan is a process of a run whose worker was killed, so it is
killed too; when the helper itself is killed, each worker notices and kills its own.
"""

from __future__ import annotations

import os
import signal
from types import FrameType

from . import linux, watching


class Orphanage:
    """As a context manager: while it lasts orphans are killed, at its end every descendant."""

    def __init__(self) -> None:
        self._workers: set[int] = set()

    def __enter__(self) -> Orphanage:
        linux.adopt_orphans()
        signal.signal(signal.SIGCHLD, self._reap)
        return self

    def __exit__(self, *exception: object) -> None:
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        watching.end_descendants()

    def fork(self) -> int:
        """``os.fork`` of a process that is no orphan."""
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGCHLD])
        try:
            pid = os.fork()
            if pid == 0:
                signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            else:
                self._workers.add(pid)
        finally:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGCHLD])
        return pid

    def _reap(self, number: int, frame: FrameType | None) -> None:
        try:
            while (pid := os.waitpid(-1, os.WNOHANG)[0]) > 0:
                self._workers.discard(pid)
        except ChildProcessError:
            return
        for pid in watching.children():
            if pid not in self._workers:
                watching.send(pid, signal.SIGKILL)
