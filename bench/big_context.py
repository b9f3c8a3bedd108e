"""Big contexts on standard input: 648 MB in 23,000 files for speed, 1 GB for memory.  To a docker-archive."""

from __future__ import annotations

import io
import os
import sys
import tarfile
from pathlib import Path

from _measure import PROGRAM, Run, repeat, report, run, scratch

DOCKERFILE = b"FROM scratch\nCOPY . /data/\n"


def write_context(path: Path, files: int, size: int) -> None:
    """A tar of ``files`` files, ``size`` bytes in all, in folders of a hundred; contents that do not compress."""
    each = size // files
    pool = os.urandom(each + files)
    with tarfile.open(path, "w", format=tarfile.PAX_FORMAT) as tar:
        add(tar, "Dockerfile", DOCKERFILE)
        for number in range(files):
            add(tar, f"folder-{number // 100:04}/file-{number:06}", pool[number : number + each])


def add(tar: tarfile.TarFile, name: str, data: bytes) -> None:
    member = tarfile.TarInfo(name)
    member.size = len(data)
    tar.addfile(member, io.BytesIO(data))


def main() -> None:
    """Assemble each context from stdin without a cache, three times."""
    sizes = {"648 MB, 23,000 files": (23_000, 648_000_000), "1 GB, 1,000 files": (1_000, 1_000_000_000)}
    for what, (files, size) in sizes.items():
        with scratch() as (folder, environment):
            context = folder / "context.tar"
            write_context(context, files, size)
            output = folder / "image.tar"
            command = [PROGRAM, "assemble", "-q", "--no-cache", "-t", "big", "-o", f"type=docker,dest={output}", "-"]

            def once(
                context: Path = context, command: list[str] = command, environment: dict[str, str] = environment
            ) -> Run:
                with context.open("rb") as stdin:
                    done = run(command, environment=environment, stdin=stdin)
                run([PROGRAM, "prune", "--all", "--force"], environment=environment)
                return done

            report(f"`assemble -` of {what}, to a docker-archive", repeat(3, once))
    sys.stdout.flush()


if __name__ == "__main__":
    main()
