"""What a test needs from the machine: skipped where it is missing, except in CI, where a missing tool is a failure."""

from __future__ import annotations

import os
import shutil
from typing import NoReturn

import pytest

_SYSTEM_FOLDERS = "/usr/local/sbin:/usr/sbin:/sbin"


def need(tool: str) -> str:
    """The absolute path of a tool.

    Where it is missing the test is skipped with the command that installs it; with ``CI`` set it fails instead.
    """
    found = shutil.which(tool, path=f"{os.environ.get('PATH', os.defpath)}:{_SYSTEM_FOLDERS}")
    if found is None:
        give_up(f"the program “{tool}” is missing; scripts/setup --test installs it")
    return found


def need_root() -> None:
    """Go on only as root; ``give_up`` otherwise."""
    if os.geteuid() != 0:
        give_up("this test needs root")


def give_up(reason: str) -> NoReturn:
    """Skip the test, or fail it with the same reason when ``CI`` is set.  Never returns."""
    if os.environ.get("CI"):
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)
