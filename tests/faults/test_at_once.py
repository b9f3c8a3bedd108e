"""Many builds at once in one store, equal and different, while others prune, remove images, and look at the store."""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from faults.program import Program
from support.bases import Base
from support.tools import need_root

pytestmark = pytest.mark.root

_COUNT = "--mount=type=cache,id=runs,target=/runs"
_ONCE = "cat /proc/sys/kernel/random/uuid >> /runs/{}"
_EQUAL, _DIFFERENT = 5, 3


def _project(folder: Path, number: str) -> Path:
    """A builder whose step and whose run leave a line each in a cache mount; its runtime image says ``number``."""
    folder.mkdir()
    (folder / "run").write_text("FROM busybox\nCOPY number /number\n")
    (folder / "number").write_text(number)
    (folder / "Dockerfile").write_text(
        f"FROM busybox\nCOPY . /out\nRUN {_COUNT} {_ONCE.format(number)}; sleep 0.5; cp /out/number /made\n"
        'CMD ["sh", "-c", "sleep 0.5; tar -cC /out ."]\n'
    )
    return folder


@pytest.fixture
def crowded(tmp_path: Path, base: Callable[[str], Base]) -> Program:
    """An empty store; nobody has unpacked the base yet."""
    need_root()
    program = Program(store=tmp_path / "store")
    program.succeed("load", "-i", base("busybox").archive)
    return program


def test_builds_prunes_and_removals_at_once(crowded: Program, tmp_path: Path) -> None:
    """All succeed, nothing is lost, equal ones share their work, and the store is whole after it."""
    equal = _project(tmp_path / "equal", "equal")
    others = [_project(tmp_path / f"other{number}", f"other{number}") for number in range(_DIFFERENT)]
    done = threading.Event()

    def tidy(*command: str) -> int:
        times = 0
        while not done.is_set():
            crowded.succeed(*command)
            times += 1
        return times

    def start(name: str, project: Path) -> subprocess.Popen[bytes]:
        options = ("--progress", "plain", "--runtime-file", "run", "--keep-storage", "0", "-t")
        return crowded.start("build", *options, name, str(project))

    with ThreadPoolExecutor(3) as pool:
        commands = (("prune", "--force"), ("rm", "--force", "gone", "shared"), ("doctor", "--store"))
        tidying = [pool.submit(tidy, *command) for command in commands]
        builds = [start(f"kept{number}", equal) for number in range(_EQUAL - 1)] + [start("shared", equal)]
        builds += [start(project.name, project) for project in others]
        try:
            for build in builds:
                _, errors = build.communicate(timeout=120)
                assert build.returncode == 0, errors.decode()
        finally:
            done.set()
            for build in builds:
                build.kill()
                build.wait()
        assert all(each.result() > 0 for each in tidying)
    _check_images(crowded)
    crowded.succeed("doctor", "--store")
    crowded.has_no_leftovers()
    crowded.succeed("rm", "--force", *crowded.names())
    crowded.succeed("prune", "--all", "--force")
    assert crowded.succeed("doctor", "--store").stdout.startswith(
        f"The store {crowded.store} is whole: 0 things".encode()
    )


def _check_images(crowded: Program) -> None:
    names = crowded.names()
    assert {*names} - {"shared:latest"} == {
        "busybox:latest",
        *(f"kept{number}:latest" for number in range(_EQUAL - 1)),
        *(f"other{number}:latest" for number in range(_DIFFERENT)),
    }
    assert len({names[f"kept{number}:latest"] for number in range(_EQUAL - 1)}) == 1
    for name, number in (("kept0", "equal"), ("other0", "other0"), ("other2", "other2")):
        assert crowded.succeed("run", name, "cat", "/number").stdout.decode() == number


def test_equal_builds_do_their_work_once(crowded: Program, tmp_path: Path) -> None:
    project = _project(tmp_path / "equal", "equal")
    options = ("--progress", "plain", "--runtime-file", "run", "-t")
    builds = [crowded.start("build", *options, f"app{number}", str(project)) for number in range(_EQUAL)]
    shown = []
    for build in builds:
        _, errors = build.communicate(timeout=120)
        assert build.returncode == 0, errors.decode()
        shown.append(errors.decode())
    runs = [path for path in (crowded.store / "caches").rglob("equal") if path.is_file()]
    assert [len(path.read_text().splitlines()) for path in runs] == [1], "the step of all builds ran once"
    assert any("unpack busybox" in text for text in shown)
    assert len(list((crowded.store / "trees").iterdir())) == 3, "the base, the copied files, and what the step left"
    assert len(set(crowded.names().values())) == 2
