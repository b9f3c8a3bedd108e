"""One source line of examples/go-hello changed: compile, emit, assemble."""

from __future__ import annotations

import itertools
import shutil

from _measure import PROGRAM, Run, repeat, report, run, scratch
from nothing_changed import BASES, EXAMPLE


def main() -> None:
    """Change a string in the program before each run."""
    with scratch() as (folder, environment):
        project = folder / "project"
        shutil.copytree(EXAMPLE, project)
        source = project / "main.go"
        original = source.read_text()
        numbers = itertools.count()
        command = [PROGRAM, "build", "-q", "-t", "hello", *BASES, str(project)]

        def once() -> Run:
            source.write_text(f"{original}\nconst benchmark = {next(numbers)}\n")
            return run(command, environment=environment)

        report("one source line changed, examples/go-hello", repeat(8, once))


if __name__ == "__main__":
    main()
