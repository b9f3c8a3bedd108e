"""A builder at work in a solve: buildx is the child, and the builder's stdout a file of the tar that it writes."""

from __future__ import annotations

import os
import re
import subprocess
import tarfile
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from typing import IO, Final

from ...errors import BuilderError, DockerceptionError, ImageError
from ..daemon import buildkit_call
from ..daemon.plain_progress import PlainProgress
from ..emission import BuilderLog, Cancel, Ended, PipeEmission
from . import emit_script
from .emit_progress import EmitProgress

_CHUNK: Final = 1 << 20
_TICK_SECONDS: Final = 0.2
_KILLED: Final = 137
_EXIT_CODE: Final = re.compile(r"exit code: (\d+)\s*$")
_USER: Final = re.compile(r"unable to find (?:user|group) \S+|no users found|no matching entries in passwd file")

Failure = Callable[[str], DockerceptionError]
"""The error for a solve that failed with these words, but not because of the builder."""


class SolveEmission:
    """See ``engines.base.Emission``: what the solve hands over in the end is read from a pipe.

    A failed solve hands nothing over.  Then its failure is told at once: an empty stream would be taken for the cause.
    """

    def __init__(self, container: SolveContainer, pipe: PipeEmission) -> None:
        self._container = container
        self._pipe = pipe

    def read(self, size: int) -> bytes:
        chunk = self._pipe.read(size)
        if not chunk and not self._container.has_handed_over:
            self._pipe.finish()
        return chunk

    def drain(self, seconds: float) -> bool:
        return self._pipe.drain(seconds)

    def finish(self) -> None:
        self._pipe.finish()

    def close(self) -> None:
        self._pipe.close()


class SolveContainer:
    """The builder's container as ``emission.Container`` has it; ``stdout`` is what it has written, to be read once.

    ``resources`` are closed in the end.  ``has_handed_over`` says that the builder's stdout has come out of the solve.
    """

    def __init__(
        self,
        command: list[str],
        *,
        progress: EmitProgress,
        log: BuilderLog,
        failure: Failure,
        resources: ExitStack,
    ) -> None:
        self._progress = progress
        self._log = log
        self._failure = failure
        self._resources = resources
        self._lines = PlainProgress(progress)
        self._files: dict[str, bytes] = {}
        self.has_handed_over = False
        try:
            self._child = buildkit_call.start(command, stdout=subprocess.PIPE)
        except DockerceptionError:
            resources.close()
            raise
        self.stdout, sink = os.pipe()
        self._threads = [
            threading.Thread(target=self._read_tar, args=(self._child.stdout, sink), daemon=True),
            threading.Thread(target=self._read_progress, args=(self._child.stderr,), daemon=True),
            threading.Thread(target=self._be_patient, daemon=True),
        ]
        for thread in self._threads:
            thread.start()

    def wait(self, cancel: Cancel | None) -> Ended:
        """Wait until the solve has ended; it is ended when ``cancel`` is set.  Raises what made it fail."""
        is_cancelled = False
        while self._child.poll() is None:
            if cancel is not None and cancel.is_set():
                is_cancelled = True
                self.kill()
            time.sleep(_TICK_SECONDS)
        for thread in self._threads:
            thread.join()
        self._resources.close()
        return Ended(returncode=_KILLED) if is_cancelled else self._ended()

    def kill(self) -> None:
        """End the solve, and so the container."""
        buildkit_call.stop(self._child)

    def _ended(self) -> Ended:
        if self._child.returncode != 0:
            return self._failed(self._lines.failure)
        if self._files.get(emit_script.CODE, b"").strip() != b"0":
            raise BuilderError(
                "The builder's end is not known: what came out of the solve does not say that it did well.",
                hint="build again with --no-cache-filter emit",
            )
        return Ended()

    def _failed(self, words: str) -> Ended:
        if self._progress.not_started:
            return Ended(not_started=self._progress.not_started)
        code = _EXIT_CODE.search(words)
        if self._progress.has_failed and code is not None:
            return Ended(returncode=int(code[1]))
        if self._progress.has_failed and (user := _USER.search(words)):
            raise ImageError(f"The user of the builder's image is not known there: {user[0]}.")
        raise self._failure(words)

    def _read_tar(self, stream: IO[bytes], sink: int) -> None:
        """Pass the builder's stdout on out of the tar around it; the small files beside it are kept."""
        try:
            with tarfile.open(fileobj=stream, mode="r|") as archive:
                for member in archive:
                    file = archive.extractfile(member) if member.isfile() else None
                    if file is not None and member.name == emit_script.STDOUT:
                        self.has_handed_over = True
                        _copy(file, sink)
                    elif file is not None:
                        self._files[member.name] = file.read(_CHUNK)
        except (tarfile.TarError, OSError):
            pass  # the solve ended early: its exit code and its words say why
        finally:
            os.close(sink)
            while stream.read(_CHUNK):
                pass

    def _read_progress(self, stream: IO[bytes]) -> None:
        for line in stream:
            self._lines.take(line)

    def _be_patient(self) -> None:
        """Only the builder's own silence counts, not that of the steps before it nor of the way back."""
        while self._child.poll() is None:
            if not self._progress.is_running:
                self._log.note_sign()
            time.sleep(_TICK_SECONDS)


def _copy(file: IO[bytes], sink: int) -> None:
    try:
        while chunk := file.read(_CHUNK):
            rest = memoryview(chunk)
            while rest:
                rest = rest[os.write(sink, rest) :]
    except BrokenPipeError:
        pass  # the reader has seen enough; the tar is read on to its end
