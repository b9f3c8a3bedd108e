"""SIGKILL at every point: what is left is swept, and what was finished is whole."""

from __future__ import annotations

import os
import signal
import tempfile

from dockerception.store.store import Store
from unit.store.things import leftovers, prune, python


def test_a_process_may_die_at_any_point() -> None:
    # Every fifth point: hundreds of stores are made, which a disk takes its time for.
    with tempfile.TemporaryDirectory(dir="/dev/shm" if os.path.isdir("/dev/shm") else None) as folder:
        with python("crasher", os.path.join(folder, "store"), "5") as process:
            output, _ = process.communicate(timeout=120)
        assert process.returncode == 0
    assert int(output) > 80  # there are as many points as that, or the test has lost its teeth


def test_what_a_live_process_uses_stays_and_what_a_killed_one_used_goes(root: str) -> None:
    with Store(root) as store:
        digest = str(store.blobs.put(b"held"))
    with python("holder", root, digest) as process:
        assert process.stdout is not None
        found, path = process.stdout.readline().split()
        assert found == "True"
        with Store(root) as store:
            assert prune(root) == set()
            assert os.path.exists(path)
            assert store.blobs.read(digest) == b"held"
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert len(leftovers(root)) == 2
    Store(root).close()
    assert leftovers(root) == []
    assert prune(root) == {f"blob:{digest}"}


def test_a_process_that_ends_leaves_nothing(root: str) -> None:
    with Store(root) as store:
        digest = str(store.blobs.put(b"held"))
    with python("holder", root, digest) as process:
        process.communicate("", timeout=30)
    assert process.returncode == 0
    assert leftovers(root) == []
