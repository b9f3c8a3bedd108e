"""A disk that fills up under the real command: under its store at every point of a build, and under what it writes."""

from __future__ import annotations

import os
import random
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from faults.program import Failure, Program
from support.bases import Base
from support.registry import running_registry
from support.tools import need, need_root

pytestmark = pytest.mark.root

_FREE_SPACE = "dockerception prune.*DOCKERCEPTION_HOME"
_SMALL = 512 << 10
_SIZES = {  # of the store's disk in mebibytes, and what there is no room for
    1: Failure(6, "disk-full", "The disk is full: while writing a file of the store", _FREE_SPACE),  # the base
    5: Failure(6, "disk-full", "working on a step's files \\(/.*No space left", _FREE_SPACE),  # the copied context
    10: Failure(1, "step-failed", "“RUN cp .*” failed", f"disk is full.*{_FREE_SPACE}", "No space left on device"),
    16: Failure(6, "disk-full", "while keeping the context that is being received", _FREE_SPACE),  # the spool
    24: Failure(6, "disk-full", "The disk is full: while writing a file of the store", _FREE_SPACE),  # the last layer
}

Disk = Callable[[int], Path]


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    """A function that mounts a file system of so many mebibytes, or changes the size of the one that it has mounted."""
    need_root()
    place = tmp_path / "disk"
    place.mkdir()

    def resize(mebibytes: int) -> Path:
        options = f"size={mebibytes}m" + (",remount" if place.is_mount() else "")
        subprocess.run([need("mount"), "-t", "tmpfs", "-o", options, "tmpfs", place], check=True)
        return place

    yield resize
    while place.is_mount():
        subprocess.run([need("umount"), place], check=True)


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A builder with 6 MB of files, which copies them and emits them."""
    folder = tmp_path_factory.mktemp("source")
    (folder / "payload").write_bytes(random.Random(2).randbytes(6_000_000))
    (folder / "run").write_text("FROM busybox\nCOPY payload /payload\n")
    (folder / "Dockerfile").write_text(
        'FROM busybox\nCOPY . /out\nRUN cp /out/payload /copied\nCMD ["tar", "-cC", "/out", "."]\n'
    )
    return folder


@pytest.mark.parametrize("size", _SIZES)
def test_a_full_store(
    source: Path, tmp_path: Path, disk: Disk, base: Callable[[str], Base], size: int, program: Program
) -> None:
    """The error says so, nothing is left; with more room the same store goes on to the same image as another one."""
    small = Program(store=disk(size) / "store")
    named = f"busybox=docker-archive:{base('busybox').archive}"
    options = ["--progress", "plain", "--build-context", named, "--runtime-file", "run"]
    written = tmp_path / "image.tar"
    command = ["build", *options, "-t", "app", "-o", f"type=docker,dest={written}", str(source)]
    _SIZES[size].check(small.run(*command))
    assert not written.exists()
    small.has_no_leftovers()
    assert small.names() == {}
    small.succeed("doctor", "--store")
    disk(64)
    small.succeed(*command)
    assert list(small.names()) == ["app:latest"]
    small.succeed("rm", "app")
    small.succeed("prune", "--all", "--force")
    assert _used(small.store) < _SMALL


def test_a_disk_without_room_for_a_store(disk: Disk, tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_text("FROM scratch\n")
    place = disk(1)
    _fill(place / "filler")
    small = Program(store=place / "store")
    Failure(6, "disk-full", "The disk is full", _FREE_SPACE).check(small.run("assemble", tmp_path))
    (place / "filler").unlink()
    small.succeed("assemble", tmp_path)


def test_a_read_only_store(disk: Disk, tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_text("FROM scratch\nCOPY Dockerfile /\n")
    place = disk(4)
    store = Program(store=place / "store")
    store.succeed("images")
    subprocess.run([need("mount"), "-o", "remount,ro", place], check=True)
    Failure(6, "store", "store.db can't be written", "DOCKERCEPTION_HOME").check(store.run("assemble", tmp_path))


@pytest.fixture(scope="module")
def large(program: Program, source: Path) -> Iterator[str]:
    """The name of an image of 8 MB in the shared store."""
    program.succeed("assemble", "-q", "-t", "large", "-f", source / "run", source)
    yield "large"
    program.succeed("rm", "large")


@pytest.mark.parametrize(
    "line",
    [
        "save -o DISK/image.tar large",
        "assemble -o type=docker,dest=DISK/image.tar -f SOURCE/run -t unwanted SOURCE",
        "assemble -o type=oci,dest=DISK/image.tar -f SOURCE/run -t unwanted SOURCE",
        "assemble -o type=tar,dest=DISK/image.tar -f SOURCE/run -t unwanted SOURCE",
        "assemble -o type=oci,tar=false,dest=DISK/layout -f SOURCE/run -t unwanted SOURCE",
        "assemble -o type=local,dest=DISK/files -f SOURCE/run -t unwanted SOURCE",
        "context -o type=tar,dest=DISK/context.tar SOURCE",
        "context -o DISK/files SOURCE",
    ],
)
def test_a_full_disk_under_an_output(program: Program, large: str, source: Path, disk: Disk, line: str) -> None:
    """It is named, and what had been written of the output is taken away again."""
    place = disk(2)
    words = line.replace("DISK", str(place)).replace("SOURCE", str(source)).split()
    Failure(6, "disk-full", f"{place}.* can't be written: .*(full|No space left)").check(program.run(*words))
    assert set(program.names()) == {"busybox:latest", f"{large}:latest"}
    assert [path.name for path in place.rglob("*") if path.is_file()] == []
    assert _used(place) < _SMALL
    program.has_no_leftovers()


def test_a_full_store_under_a_pull(program: Program, large: str, disk: Disk, tmp_path: Path) -> None:
    small = Program(store=disk(4) / "store")
    with running_registry(tmp_path / "registry") as address:
        name = f"{address}/{large}:1"
        program.succeed("tag", large, name)
        program.succeed("push", name)
        program.succeed("rm", name)
        Failure(6, "disk-full", "The disk is full: while writing a file of the store", _FREE_SPACE).check(
            small.run("pull", name)
        )
        small.has_no_leftovers()
        assert small.names() == {}
        small.succeed("doctor", "--store")
        small.succeed("prune", "--all", "--force")
        assert _used(small.store) < _SMALL
        disk(64)
        small.succeed("pull", name)
        assert list(small.names()) == [name]


def test_a_full_disk_under_an_id_file(program: Program, large: str, source: Path, disk: Disk) -> None:
    place = disk(1)
    _fill(place / "filler")
    done = program.run("assemble", "-f", source / "run", "--iidfile", place / "id", source)
    Failure(6, "disk-full", f"{place / 'id'} can't be written").check(done)
    assert [path.name for path in place.iterdir()] == ["filler"]


def _fill(path: Path) -> None:
    try:
        with path.open("wb", buffering=0) as file:
            while file.write(bytes(4096)):
                pass
    except OSError:
        return


def _used(path: Path) -> int:
    """How many bytes of the disk are taken."""
    disk = os.statvfs(path)
    return (disk.f_blocks - disk.f_bfree) * disk.f_frsize
