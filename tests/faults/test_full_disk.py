"""A disk that is full, and one that is read-only, under the store."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.root

_PROGRAM = Path(__file__).with_name("full_disk.py")
_IN_NAMESPACE = 'mount -t tmpfs -o size=1m tmpfs "$1" && exec "$2" "$3" "$1"'


def test_a_full_disk_is_named_and_what_was_there_survives(tmp_path: Path) -> None:
    command = ["unshare", "--mount", "sh", "-c", _IN_NAMESPACE, "sh", str(tmp_path), sys.executable, str(_PROGRAM)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.stderr == ""
    assert done.stdout.splitlines() == [
        "a big blob: DiskFullError",
        "unfinished files: 0",
        "a small blob after it: ok",
        "a blob on a full disk: DiskFullError",
        "a record on a full disk: DiskFullError",
        "a name that is read: ok",
        "closed: ok",
        "opening on a full disk: ok",
        "making a store on a full disk: DiskFullError",
        "a blob when there is room again: ok",
        "what was there before: b'value'",
        "left: []",
        "opening on a read-only disk: StoreError",
        "making a store on a read-only disk: StoreError",
    ]
