"""Small libraries that are preloaded into the command; each is compiled once on a machine."""

from __future__ import annotations

import subprocess
from pathlib import Path

from support import cache
from support.tools import need


def compiled(name: str) -> Path:
    """The shared library of ``<name>.c``, which lies beside this file."""
    compiler, source = need("gcc"), Path(__file__).with_name(f"{name}.c")

    def compile_to(path: Path) -> None:
        subprocess.run([compiler, "-shared", "-fPIC", "-O2", "-o", path, source, "-ldl"], check=True)

    return cache.once(f"{name}-{cache.recipe_key(source.read_text())}.so", compile_to)
