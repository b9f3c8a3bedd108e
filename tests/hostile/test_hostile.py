"""Hostile bytes end in an error of ours or in nothing worse, within bounds of memory and time."""

from __future__ import annotations

import resource
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dockerception.errors import DockerceptionError
from dockerception.sandbox.client import Sandbox
from hostile import corpus, targets
from support.tools import need_root

FOLDER = Path(__file__).parent
MEMORY = 2 << 30  # of address space: the interpreter and its threads take a third of it
SECONDS = 120  # of processor time, for all of it

WHOLE_CORPUS = """
import sys
from hostile import corpus, targets
failed = []
def check(target, name, data):
    try:
        targets.TARGETS[target](data)
    except BaseException as error:
        failed.append(f"{target} {name}: {type(error).__name__}: {str(error)[:200]}")
for name, data in corpus.tars():
    for target in ("tar", "context"):
        check(target, name, data)
for name, data in corpus.documents():
    for target in ("documents", "dockerfile", "ignored", "names", "toc"):
        check(target, name, data)
for name, data in corpus.archives():
    check("archive", name, data)
print("\\n".join(failed))
"""


def _bounds() -> None:
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS))


def test_the_whole_corpus_within_bounds() -> None:
    done = subprocess.run(
        [sys.executable, "-c", WHOLE_CORPUS], capture_output=True, text=True, check=False, preexec_fn=_bounds,
        env={"PYTHONPATH": str(FOLDER.parent)},
    )  # fmt: skip
    assert done.returncode == 0, (done.returncode, done.stderr[-2000:])
    assert done.stdout.strip() == ""


def test_control_a_bomb_would_be_noticed() -> None:
    script = (
        "import gzip; from hostile import corpus; print(len(gzip.decompress(dict(corpus.tars())['gzip-bomb']) * 64))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False, preexec_fn=_bounds,
        env={"PYTHONPATH": str(FOLDER.parent)},
    )  # fmt: skip
    assert "MemoryError" in done.stderr


@pytest.mark.parametrize("target", sorted(targets.TARGETS))
@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_damaged_seeds(target: str, data: st.DataObject) -> None:
    seed = data.draw(st.sampled_from(SEEDS))
    changed = bytearray(seed)
    for _ in range(data.draw(st.integers(0, 6))):
        at = data.draw(st.integers(0, max(len(changed) - 1, 0)))
        changed[at : at + data.draw(st.integers(0, 3))] = data.draw(st.binary(max_size=3))
    targets.TARGETS[target](bytes(changed))


ABOUT_FILES = ("name", "link", "hard", "below", "root", "case", "same", "device", "whiteout", "opaque", "xattr")
SEEDS = [data for _, data in (*corpus.tars(), *corpus.documents(), *corpus.archives()) if len(data) < 1 << 14]


def test_layers_are_unpacked_or_refused_and_nothing_appears_outside(tmp_path: Path) -> None:
    need_root()
    store = tmp_path / "store"
    for name in ("tmp", "trees"):
        (store / name).mkdir(parents=True)
    before = {path: path.lstat().st_mtime_ns for path in Path("/etc").iterdir()}
    outcomes = {"unpacked": 0, "refused": 0}
    bugs: list[str] = []
    with Sandbox(str(store)) as sandbox:
        for number, (name, data) in enumerate(corpus.tars()):
            if not name.startswith(ABOUT_FILES):
                continue  # of headers and numbers the reader has been asked above
            tree = store / "trees" / str(number)
            try:
                sandbox.unpack(str(tree), [data])
                outcomes["unpacked"] += 1
                assert sandbox.diff(str(tree)) is not None
            except DockerceptionError as error:
                outcomes["refused"] += 1
                bugs += [f"{name}: {error.details}"] if "bug" in error.message else []
        sandbox.delete([str(store / "trees")])
    assert bugs == []
    assert outcomes["unpacked"] > 20
    assert outcomes["refused"] > 20
    assert {path: path.lstat().st_mtime_ns for path in Path("/etc").iterdir()} == before
