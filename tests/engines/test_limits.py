"""Limits of what steps and builders use: each engine obeys those that docs/isolation.md names, and refuses others."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Final

import pytest

from engines.conftest import alone
from engines.lab import Lab
from faults.program import Failure

BUSYBOX = ("busybox",)
_API: Final = ("--memory=64m", "--cpus=0.5", "--shm-size=3m", "--ulimit=nofile=77:88")
_BUILDKIT: Final = ("--shm-size=3m", "--ulimit=nofile=77:88")
OBEYED: Final = {
    "embedded": (*_API, "--pids-limit=55", "--timeout=5m"),
    "docker": _BUILDKIT,
    "docker-classic": _API,
    "docker-20.10": (),
    # Where one limit is given, Podman raises the number of processes to 2²⁰, which takes a capability.
    "podman": (*_API, "--ulimit=nproc=999:999"),
    "buildx": _BUILDKIT,
    "buildx-remote": _BUILDKIT,
}
REFUSED: Final = [
    (name, option) for name in OBEYED for option in OBEYED["embedded"] if option not in OBEYED[name]
]  # fmt: skip
_GROUPS: Final = "memory/memory.limit_in_bytes cpu/cpu.cfs_quota_us memory.max cpu.max"
SAY: Final = (
    '{ echo shm $(df -k /dev/shm | tail -n1 | tr -s " " | cut -d" " -f2); echo files $(ulimit -Sn) $(ulimit -Hn); '
    f"for file in {_GROUPS}; do echo $file $(cat /sys/fs/cgroup/$file 2>/dev/null); done; }}"
)
"""What each says of itself, in control groups of either version; what it can't see it does not say."""


def expected(options: tuple[str, ...]) -> set[str]:
    """What a process under these limits says, that it does not say without."""
    found = set()
    if "--shm-size=3m" in options:
        found |= {"shm 3072", "files 77 88"}
    return found


def is_in_groups(said: set[str]) -> bool:
    """Whether it says the limits of memory and processors, where it can see its control groups at all."""
    memory = {"memory/memory.limit_in_bytes 67108864", "memory.max 67108864"}
    cpus = {"cpu/cpu.cfs_quota_us 50000", "cpu.max 50000 100000"}
    return bool(said & memory) and bool(said & cpus)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A builder that emits what a step has said and what it says itself."""
    (tmp_path / "project").mkdir()
    (tmp_path / "project" / "Dockerfile").write_text(
        f"FROM busybox\nRUN mkdir /out && {SAY} >/out/step && printf 'FROM scratch\\nCOPY . /\\n' >/out/Dockerfile\n"
        f"RUN echo '{SAY}' >/say\nCMD . /say >/tmp/builder; cp /tmp/builder /out/builder; tar -c -C /out .\n"
    )
    return tmp_path / "project"


@pytest.mark.parametrize("name", [name for name, options in OBEYED.items() if options])
def test_steps_and_builders_are_limited(labs: Callable[[str], Lab], name: str, project: Path, tmp_path: Path) -> None:
    lab, options, target = labs(name), OBEYED[name], tmp_path / "image.tar"
    with alone(lab):
        lab.succeed("build", "--no-cache", *options, "-o", f"type=docker,dest={target}", project, bases=BUSYBOX)
    for who in ("step", "builder"):
        said = set(_file(target, who).splitlines())
        assert expected(options) <= said, who
        if name in ("docker-classic", "podman"):
            assert is_in_groups(said), (who, said)


@pytest.mark.parametrize(("name", "option"), REFUSED)
def test_other_limits_are_refused_before_work(
    labs: Callable[[str], Lab], name: str, option: str, project: Path
) -> None:
    with alone(labs(name)):
        done = labs(name).run("build", option, "-t", "unwanted", project, bases=BUSYBOX)
        assert "unwanted:latest" not in labs(name).names()
    what = option.partition("=")[0]
    Failure(3, "not-supported", f"can't limit what steps use by {what}", hint="embedded").check(done)
    assert "RUN" not in done.errors


def _file(image: Path, name: str) -> str:
    """A file of an image of one layer."""
    with tarfile.open(image) as archive:
        for member in archive:
            if not member.isfile() or member.size < tarfile.BLOCKSIZE:
                continue
            found = archive.extractfile(member)
            assert found is not None
            data = found.read()
            if data[257:262] != b"ustar" and data[:2] != b"\x1f\x8b":
                continue
            with tarfile.open(fileobj=io.BytesIO(data)) as layer:
                if name in layer.getnames():
                    file = layer.extractfile(name)
                    assert file is not None
                    return file.read().decode()
    raise AssertionError(f"no {name} in {image}")
