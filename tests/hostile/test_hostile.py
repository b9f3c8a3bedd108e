"""Hostile bytes end in an error of ours or in nothing worse, within bounds of memory and time."""

from __future__ import annotations

import json
import resource
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dockerception.errors import DockerceptionError
from dockerception.sandbox.client import Sandbox
from hostile import corpus, targets, tars
from support import reliability
from support.tools import need_root

TESTS = Path(__file__).parent.parent
MEMORY = 2 << 30  # of address space: the interpreter and its threads take a third of it
SECONDS = 120  # of processor time, for all cases of a target

# Each case is also timed, for the table: no test asserts it, but the bound for all of them together holds.
WHOLE_CORPUS = """
import json, resource, sys, time
from hostile import corpus, targets
failed, count, slowest = [], 0, 0.0
for name, data in corpus.CASES[sys.argv[1]]():
    count, started = count + 1, time.process_time()
    try:
        targets.TARGETS[sys.argv[1]](data)
    except BaseException as error:
        failed.append(f"{name}: {type(error).__name__}: {str(error)[:200]}")
    slowest = max(slowest, time.process_time() - started)
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10
print(json.dumps({"failed": failed, "count": count, "slowest": slowest, "peak": peak}))
"""


def _bounds() -> None:
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS))


def _run_bounded(script: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", script, *arguments], capture_output=True, text=True, check=False, preexec_fn=_bounds,
        env={"PYTHONPATH": str(TESTS)},
    )  # fmt: skip


@pytest.mark.parametrize("target", sorted(targets.TARGETS))
def test_the_whole_corpus_within_bounds(target: str) -> None:
    done = _run_bounded(WHOLE_CORPUS, target)
    assert done.returncode == 0, (done.returncode, done.stderr[-2000:])
    told = json.loads(done.stdout)
    assert told["failed"] == []
    assert told["count"] > 3
    reliability.count("corpus", target, cases=told["count"], seconds=told["slowest"], megabytes=told["peak"])


def test_every_target_has_a_corpus() -> None:
    assert sorted(corpus.CASES) == sorted(targets.TARGETS)


def test_control_a_bomb_would_be_noticed() -> None:
    done = _run_bounded(
        "import gzip; from hostile import tars; print(len(gzip.decompress(dict(tars.tars())['gzip-bomb']) * 64))"
    )
    assert "MemoryError" in done.stderr


MANY_ENTRIES = """
import itertools
from dockerception.errors import StreamError
from dockerception.oci.tarreader import TarReader
from hostile import tars
one = tars.header(b"file")
chunk = one * 2048
left = itertools.repeat(chunk, 10_000_000 // 2048 + 1)
reader = TarReader(lambda size: next(left, b""), origin="The context")
try:
    print(sum(1 for _ in reader))
except StreamError as error:
    print(error)
"""


def test_ten_million_headers_are_refused_at_the_limit() -> None:
    done = _run_bounded(MANY_ENTRIES)
    assert done.stdout.startswith("The context has more than 2000000 entries."), done.stderr


@cache
def _seeds(target: str) -> list[bytes]:
    return [data for _, data in corpus.CASES[target]() if len(data) < 1 << 14]


@pytest.mark.parametrize("target", sorted(targets.TARGETS))
@settings(max_examples=25 * reliability.SCALE, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_damaged_seeds(target: str, data: st.DataObject) -> None:
    changed = bytearray(data.draw(st.sampled_from(_seeds(target))))
    for _ in range(data.draw(st.integers(0, 6))):
        at = data.draw(st.integers(0, max(len(changed) - 1, 0)))
        changed[at : at + data.draw(st.integers(0, 3))] = data.draw(st.binary(max_size=3))
    reliability.count("corpus", target, damaged=1)
    targets.TARGETS[target](bytes(changed))


ABOUT_FILES = ("name", "link", "hard", "below", "root", "case", "same", "device", "whiteout", "opaque", "xattr")


def test_layers_are_unpacked_or_refused_and_nothing_appears_outside(tmp_path: Path) -> None:
    need_root()
    store = tmp_path / "store"
    for name in ("tmp", "trees"):
        (store / name).mkdir(parents=True)
    before = _files_of_the_machine()
    outcomes = {"unpacked": 0, "refused": 0}
    bugs: list[str] = []
    with Sandbox(str(store)) as sandbox:
        for number, (name, data) in enumerate(tars.tars()):
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
    assert _files_of_the_machine() == before
    assert Path("/etc/passwd").read_bytes().startswith(b"root:")
    reliability.count("unpacked", "layers with hostile files", **outcomes)


def _files_of_the_machine() -> dict[Path, int]:
    """When the files of /etc were changed, but for those of users: other tests make some at the same time."""
    names = ("passwd", "shadow", "group", "gshadow", "subuid", "subgid", ".pwd.lock")
    return {path: path.lstat().st_mtime_ns for path in Path("/etc").iterdir() if not path.name.startswith(names)}
