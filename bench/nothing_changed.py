"""A build in which nothing changed: examples/go-hello once more.  Says also what it must not do: start a container."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from _measure import PROGRAM, Run, repeat, report, run, scratch

EXAMPLE = Path(__file__).parents[1] / "examples" / "go-hello"
BASES = [
    "--build-context=golang=apt://?include=golang-go,ca-certificates",
    "--build-context=busybox=apt://?variant=extract&include=busybox-static",
]


def main() -> None:
    """Build once for real, then measure; strace counts the processes that a cached build starts."""
    with scratch() as (_, environment):
        command = [PROGRAM, "build", "-q", "-t", "hello", *BASES, str(EXAMPLE)]
        run(command, environment=environment)

        def once() -> Run:
            return run(command, environment=environment)

        report("nothing changed, examples/go-hello", repeat(20, once))
        report(
            "for comparison: `dockerception version`",
            repeat(20, lambda: run([PROGRAM, "version"], environment=environment)),
        )
        report(
            "for comparison: an empty Python program",
            repeat(20, lambda: run([sys.executable, "-c", ""], environment=environment)),
        )
        traced = subprocess.run(
            ["strace", "-f", "-qq", "-e", "trace=execve,unshare,mount", *command],
            env=environment, capture_output=True, text=True, check=True,
        )  # fmt: skip
        calls = [line for line in traced.stderr.splitlines() if "= 0" in line]
        print(f"system calls that start or isolate processes: {len(calls)} (the program itself is 1)")
        imports = subprocess.run(
            [sys.executable, "-X", "importtime", *command], env=environment, capture_output=True, text=True, check=True
        )
        print(f"modules that it loads: {imports.stderr.count('import time:') - 1}")


if __name__ == "__main__":
    main()
