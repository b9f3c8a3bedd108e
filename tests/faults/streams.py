"""Runs real writers of streams and receives what they write, as the pipe does."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

from dockerception.context.stream_faults import Source
from dockerception.context.tar_context import TarContext
from dockerception.context.tarstream import receive


@contextmanager
def written_by(
    command: list[str], *, cwd: str, spool: str, source: Source = "emitted"
) -> Iterator[tuple[TarContext, subprocess.Popen[bytes]]]:
    """The context that a command writes to its stdout.  The command is waited for when the block ends."""
    with subprocess.Popen(command, cwd=cwd, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL) as process:
        assert process.stdout is not None
        stdout = process.stdout.fileno()
        descriptor = os.open(spool, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        try:
            got = receive(lambda size: os.read(stdout, size), spool=descriptor, origin="The context", source=source)
        finally:
            os.close(descriptor)
            process.stdout.close()
        yield TarContext(got.toc, spool, origin="the context"), process
