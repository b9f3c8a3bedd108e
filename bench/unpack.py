"""Import and unpack a layer of 190 MB (gzip) and 23,000 files, as the first RUN on a pulled base does."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import os
import random
import tarfile
from pathlib import Path
from typing import Final

from _measure import PROGRAM, Run, repeat, report, run, scratch

FILES: Final = 23_000


def write_layer(path: Path, numbers: range = range(FILES)) -> str:
    """Write the gzipped layer of the files with these numbers; returns its diff_id.  Half of each file is random, half
    is text."""
    source = random.Random(numbers.start + 1)
    whole = hashlib.sha256()
    with (
        path.open("wb") as raw,
        gzip.GzipFile(fileobj=raw, mode="wb", compresslevel=1, mtime=0) as packed,
        tarfile.open(fileobj=_Both(packed, whole), mode="w|", format=tarfile.PAX_FORMAT) as tar,  # type: ignore[call-overload]
    ):
        for number in numbers:
            data = source.randbytes(7_900) + b"text " * 1_600
            member = tarfile.TarInfo(f"folder-{number // 100:04}/file-{number:06}")
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
        with open("/bin/busybox", "rb") as program:
            tar.addfile(tar.gettarinfo("/bin/busybox", "bin/busybox"), program)
    return f"sha256:{whole.hexdigest()}"


class _Both:
    def __init__(self, packed: gzip.GzipFile, whole: hashlib._Hash) -> None:
        self._packed = packed
        self._whole = whole

    def write(self, data: bytes) -> int:
        self._whole.update(data)
        return self._packed.write(data)


def write_archive(folder: Path, archive: Path) -> None:
    """A docker-archive around the layer."""
    layer = folder / "layer.tar.gz"
    diff_id = write_layer(layer)
    config = {"architecture": "amd64", "os": "linux", "config": {}, "rootfs": {"type": "layers", "diff_ids": [diff_id]}}
    manifest = [{"Config": "config.json", "RepoTags": ["big:latest"], "Layers": ["layer.tar.gz"]}]
    with tarfile.open(archive, "w") as tar:
        for name, document in (("config.json", config), ("manifest.json", manifest)):
            data = json.dumps(document).encode()
            member = tarfile.TarInfo(name)
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
        tar.add(layer, "layer.tar.gz")


def main() -> None:
    """Import without the cache and run ``true`` on it."""
    with scratch() as (folder, environment):
        archive = folder / "base.tar"
        write_archive(folder, archive)
        project = folder / "project"
        project.mkdir()
        (project / "Dockerfile").write_text('FROM base\nRUN ["/bin/busybox", "true"]\n')
        command = [PROGRAM, "assemble", "-q", f"--build-context=base=docker-archive:{archive}", str(project)]

        def once() -> Run:
            done = run(command, environment=environment)
            run([PROGRAM, "prune", "--all", "--force"], environment=environment)
            return done

        report(
            f"import and unpack a layer of {os.path.getsize(archive) / 1e6:.0f} MB gzip, 23,000 files, and RUN true",
            repeat(3, once),
        )


if __name__ == "__main__":
    main()
