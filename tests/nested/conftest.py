"""What the rules of nested builds are tried with."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from faults.program import Program
from nested.bench import Bench
from support.bases import Base
from support.tools import need, need_root


@pytest.fixture(scope="session")
def program(tmp_path_factory: pytest.TempPathFactory, base: Callable[[str], Base]) -> Program:
    """The command, with ``busybox`` in its store."""
    need_root()
    need("crun")
    program = Program(store=tmp_path_factory.mktemp("nested") / "store")
    program.succeed("load", "-i", base("busybox").archive)
    return program


@pytest.fixture
def bench(program: Program, tmp_path: Path) -> Bench:
    """A project of the test's own."""
    return Bench(program, tmp_path)
