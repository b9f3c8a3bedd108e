"""What the tests of faults share: a store with the busybox base, and a project with every kind of stream."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from faults import material
from faults.program import Program
from support.bases import Base
from support.place import HERE, ROOT
from support.tools import need, need_root


@pytest.fixture(scope="session")
def program(tmp_path_factory: pytest.TempPathFactory, base: Callable[[str], Base]) -> Program:
    """The command, with ``busybox`` in its store."""
    if HERE == ROOT:
        need_root()
        need("crun")
    program = Program(store=tmp_path_factory.mktemp("faults") / "store")
    program.succeed("load", "-i", base("busybox").archive)
    return program


@pytest.fixture(scope="session")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with ``streams/``, archives of all kinds, and ``out/``, a good context (see ``material``)."""
    folder = tmp_path_factory.mktemp("project")
    material.make(folder)
    return folder
