"""The same attempts from inside a real build: from a RUN, and from a builder whose stdout the command reads.

Their Python is a small one of this machine, put into the context with the libraries that it needs.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from escape.test_escape import KEY, PROGRAM, SOCKET, answer_of
from faults.program import Program
from support.bases import Base
from support.tools import need, need_root

pytestmark = pytest.mark.root
_PYTHON = "/usr/bin/python3"
_MODULES = ("test", "idlelib", "tkinter", "lib2to3", "pydoc_data", "ensurepip", "distutils", "unittest", "__pycache__")

_DOCKERFILE = """\
FROM busybox
COPY python /
COPY escape /escape
WORKDIR /out
RUN --mount=type=cache,target=/cache cd / && {attempts} /out/run
RUN ln -s {outside} /link && ln -s /proc/1/root{outside} /process && ln -s ../../../../../..{outside} /up
COPY file /link/new
COPY file /process/new
ADD archive.tar /up/
WORKDIR /link/made
WORKDIR /out
RUN printf 'FROM scratch\\nCOPY . /\\n' > Dockerfile
CMD cd / && {attempts} /out/emitted && tar -c -C /out .
"""


@pytest.fixture
def outside() -> Iterator[Path]:
    """A directory of the machine with a canary, somewhere that no container shows."""
    need_root()
    folder = Path(subprocess.run(["mktemp", "-d", "/var/tmp/escape-XXXXXX"], capture_output=True, text=True, check=True)
                  .stdout.strip())  # fmt: skip
    (folder / "canary").write_text("canary-of-the-machine\n")
    yield folder
    shutil.rmtree(folder)


def test_nothing_is_reached_from_a_run_and_from_a_builder(tmp_path: Path, outside: Path, base: object) -> None:
    busybox: Base = base("busybox")  # type: ignore[operator]
    program = Program(store=tmp_path / "store")
    program.succeed("load", "-i", busybox.archive)
    source = tmp_path / "source"
    _copy_python(source / "python")
    shutil.copytree(PROGRAM, source / "escape/attempts", ignore=shutil.ignore_patterns("__pycache__"))
    (source / "file").write_text("file\n")
    subprocess.run(["tar", "-c", "-f", source / "archive.tar", "-C", source, "file"], check=True)
    attempts = f"{_PYTHON} -m escape.attempts {outside}/canary {SOCKET} {KEY}"
    (source / "Dockerfile").write_text(_DOCKERFILE.format(attempts=attempts, outside=outside))
    emitted = tmp_path / "emitted"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind("\0" + SOCKET)
        listener.listen()
        program.succeed("context", "--network=none", "-o", emitted, source)
    assert answer_of((emitted / "run").read_text(), "RUN") == {}
    assert answer_of((emitted / "emitted").read_text(), "builder") == {}
    # What the links of the image name is inside of the image.
    assert {path.name: path.read_text() for path in outside.iterdir()} == {"canary": "canary-of-the-machine\n"}
    program.has_no_leftovers()


def _copy_python(root: Path) -> None:
    """This machine's Python with its library, below ``root``, as far as the attempts need it."""
    need(_PYTHON)
    folder = subprocess.run([_PYTHON, "-c", "import os; print(os.path.dirname(os.__file__))"], capture_output=True,
                            text=True, check=True).stdout.strip()  # fmt: skip
    shutil.copytree(folder, f"{root}{folder}", ignore=shutil.ignore_patterns(*_MODULES), symlinks=True)
    programs = [os.path.realpath(_PYTHON), *map(str, Path(folder, "lib-dynload").glob("*.so"))]
    for library in {_PYTHON, *(each for program in programs for each in _libraries(program))}:
        target = Path(f"{root}{library}")
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(os.path.realpath(library), target)


def _libraries(program: str) -> list[str]:
    listed = subprocess.run(["ldd", program], capture_output=True, text=True, check=False).stdout
    return re.findall(r"(/\S+) \(0x", listed)


def test_control_the_python_of_the_image_tries_what_the_machines_does(tmp_path: Path, outside: Path) -> None:
    """Without modules that an attempt needs it would fail, and look as if it had reached nothing."""
    root = tmp_path / "root"
    _copy_python(root)
    shutil.copytree(PROGRAM, root / "escape/attempts")
    for folder in ("proc", "tmp", "dev", "sys"):
        (root / folder).mkdir()
    (root / "canary").write_text("canary-of-the-machine\n")
    script = f"mount --rbind /proc {root}/proc && mount --rbind /dev {root}/dev && exec chroot {root} "
    script += f"{_PYTHON} -m escape.attempts /canary {SOCKET} {KEY}"
    command = ["unshare", "--mount", "sh", "-c", script]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env={"PATH": os.environ["PATH"]})
    answer = json.loads(done.stdout)
    assert {"files_of_the_machine", "writable_places", "system_calls"} <= set(answer["found"])
    failed = [text for texts in answer["found"].values() for text in texts if "attempt itself failed" in text]
    assert failed == []
