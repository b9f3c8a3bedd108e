"""What the benchmarks share: whole processes, timed and weighed by the operating system, medians of several runs."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO

PROGRAM = str(Path(sys.executable).with_name("dockerception"))
MEMORY_DISK = Path("/dev/shm")


class Run:
    """One finished process: wall and processor time in seconds, peak memory of its largest process in bytes."""

    def __init__(self, wall: float, processor: float, peak: int) -> None:
        self.wall = wall
        self.processor = processor
        self.peak = peak


def run(
    command: Sequence[str], *, environment: Mapping[str, str], stdin: IO[bytes] | None = None, cwd: Path | None = None
) -> Run:
    """Run a command to its end; its output is thrown away unless it fails."""
    with tempfile.TemporaryFile() as output:
        started = time.perf_counter()
        process = subprocess.Popen(
            list(command), stdin=stdin or subprocess.DEVNULL, stdout=output, stderr=output, env=environment, cwd=cwd
        )
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.perf_counter() - started
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode != 0:
            output.seek(0)
            sys.exit(f"{' '.join(command)} failed:\n{output.read().decode(errors='replace')[-3000:]}")
    return Run(wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024)


def repeat(times: int, once: Callable[[], Run]) -> list[Run]:
    """Several runs, after one that does not count."""
    once()
    return [once() for _ in range(times)]


def report(what: str, runs: Sequence[Run]) -> None:
    """Print a row for bench/README.md: median and range of wall time, median processor time, largest peak memory."""
    walls = [each.wall for each in runs]
    processor = statistics.median(each.processor for each in runs)
    peak = max(each.peak for each in runs)
    print(
        f"| {what} | {statistics.median(walls):.3f} s ({min(walls):.3f} to {max(walls):.3f}) | {processor:.3f} s |"
        f" {peak / 1e6:.0f} MB |",
        flush=True,
    )


@contextmanager
def scratch() -> Iterator[tuple[Path, dict[str, str]]]:
    """A directory in memory, and an environment whose store is in it, so that the disk's moods do not count."""
    with tempfile.TemporaryDirectory(dir=MEMORY_DISK if MEMORY_DISK.is_dir() else None) as folder:
        path = Path(folder)
        environment = {**os.environ, "DOCKERCEPTION_HOME": str(path / "store")}
        # Where this is set, every start compiles every module anew, which is not what users see.
        environment.pop("PYTHONDONTWRITEBYTECODE", None)
        yield path, environment
