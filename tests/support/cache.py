"""Things that are costly to make are made once on a machine and kept outside of the repository.

``${XDG_CACHE_HOME:-~/.cache}/dockerception-tests/`` may be removed at any time that no test runs.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path


def folder() -> Path:
    """The cache's folder, made if missing."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    path = Path(base) / "dockerception-tests"
    path.mkdir(parents=True, exist_ok=True)
    return path


def recipe_key(*recipe: str) -> str:
    """Twelve hex digits for the words that a cached thing was made from: another recipe is another file name."""
    return hashlib.sha256("\0".join(recipe).encode()).hexdigest()[:12]


def once(name: str, make: Callable[[Path], None], home: Path | None = None) -> Path:
    """The file or folder ``name`` in the cache, or in another folder; ``make(path)`` makes it when it is missing.

    Processes that ask at the same time make it once.  ``make`` writes to a temporary name, so what has the final name
    is whole.
    """
    home = home or folder()
    final = home / name
    if final.exists():
        return final
    with locked(home / f"{name}.lock"):
        if not final.exists():
            partial = home / f"{name}.partial"
            _remove(partial)
            make(partial)
            partial.rename(final)
    return final


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold an exclusive lock on ``path``; the kernel frees it however the process ends."""
    with path.open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
