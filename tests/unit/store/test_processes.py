"""Several processes in one store at once: nothing fails, nothing that is used is lost."""

from __future__ import annotations

from dockerception.store.store import Store
from unit.store.things import inconsistencies, leftovers, prune, python

_PROCESSES = 4
_OPERATIONS = 250


def test_builds_removals_and_prunes_at_the_same_time(root: str) -> None:
    processes = [python("busy", root, f"seed {number}", str(_OPERATIONS)) for number in range(_PROCESSES)]
    outputs = [process.communicate(timeout=120)[0] for process in processes]
    assert [process.returncode for process in processes] == [0] * _PROCESSES
    assert all("prune" in output and "build" in output for output in outputs)
    assert leftovers(root) == []
    with Store(root) as store:
        for listed in store.images.all():
            assert store.layers.find_all(listed.image.layers)
    prune(root)
    assert inconsistencies(root) == []


def test_processes_that_die_at_any_time_disturb_nobody(root: str) -> None:
    doomed = [python("busy", root, f"doomed {number}", "100000") for number in range(_PROCESSES - 1)]
    for number, process in enumerate(doomed):
        worker = python("busy", root, f"seed {number}", "60")
        assert worker.communicate(timeout=120)[0]
        assert worker.returncode == 0
        process.kill()
        process.communicate()
    prune(root)
    assert leftovers(root) == []
    assert inconsistencies(root) == []


def test_a_new_store_is_made_by_all_at_once(root: str) -> None:
    processes = [python("busy", root, f"seed {number}", "1") for number in range(_PROCESSES)]
    for process in processes:
        process.communicate(timeout=60)
    assert [process.returncode for process in processes] == [0] * _PROCESSES
