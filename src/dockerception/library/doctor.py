"""What this machine can do, found out by doing it, and what to install or to change for the rest."""

from __future__ import annotations

import os

from ..sandbox.client import Sandbox
from ..store.store import Store
from . import doctor_config, doctor_devices, doctor_engines, doctor_sandbox, doctor_store, doctor_tools
from .findings import Check

__all__ = ["Check", "can_run", "examine"]


def examine(store: Store) -> list[Check]:
    """Look at everything, anew: what an earlier look has found may have been mended since."""
    try:
        os.unlink(os.path.join(store.root, "machine.json"))
    except FileNotFoundError:
        pass
    with Sandbox(store.root) as sandbox:
        abilities = sandbox.probe()
    return [
        *doctor_config.checks(),
        *doctor_store.checks(store),
        *doctor_sandbox.checks(abilities),
        *doctor_devices.checks(),
        *doctor_tools.checks(),
        *doctor_engines.checks(),
    ]


def can_run(checks: list[Check]) -> bool:
    """Whether RUN and ``run`` work."""
    return all(check.works for check in checks if check.is_required)
