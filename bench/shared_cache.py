"""``examples/go-hello`` on a machine that has nothing, without a cache and with one in a registry on this machine.

Each run has a new store, whose base is imported outside of the time.  With nothing known; with everything in the cache;
with one source line changed, where the cache mounts (``mounts=true``) spare the compiler the rest.
Needs root for the sandbox, and Debian's docker-registry.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

from _measure import PROGRAM, Run, report, run

from support import bases
from support.registry import running_registry

_ROUNDS = 3
_EXAMPLE = Path(__file__).parent.parent / "examples/go-hello"


class Bench:
    """Builds of the example with new stores, all of which know the base."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._context = f"golang=docker-archive:{bases.BASES['golang']().archive}"
        self._busybox = f"busybox=docker-archive:{bases.BASES['busybox']().archive}"
        self._project = folder / "project"
        shutil.copytree(_EXAMPLE, self._project)

    def change(self) -> None:
        """Change one line of the source."""
        source = self._project / "main.go"
        source.write_text(source.read_text().replace("OK", "Fine"))

    def build(self, *options: str) -> Run:
        """One build in a new store."""
        store = tempfile.mkdtemp(dir=self._folder)
        try:
            environment = {**os.environ, "DOCKERCEPTION_HOME": store}
            environment.pop("PYTHONDONTWRITEBYTECODE", None)
            contexts = ("--build-context", self._context, "--build-context", self._busybox)
            base = self._folder / "base"
            base.mkdir(exist_ok=True)
            (base / "Dockerfile").write_text("FROM golang\nRUN true\n")
            run([PROGRAM, "assemble", "--quiet", *contexts, str(base)], environment=environment)
            return run([PROGRAM, "build", "--quiet", *contexts, *options, str(self._project)], environment=environment)
        finally:
            shutil.rmtree(store)


def main() -> None:
    """Print the rows."""
    with tempfile.TemporaryDirectory() as name, running_registry(Path(name) / "registry") as registry:
        bench = Bench(Path(name))
        cache = f"type=registry,ref={registry}/cache"
        cases: list[tuple[str, Callable[[], Run]]] = [
            ("nothing known, no cache", bench.build),
            (
                "the same, and the cache is exported (all of it is there already)",
                lambda: bench.build("--cache-to", cache),
            ),
            ("everything in the cache", lambda: bench.build("--cache-from", cache)),
        ]
        bench.build("--cache-to", cache)
        for what, once in cases:
            report(what, [once() for _ in range(_ROUNDS)])
        bench.build("--cache-to", f"{cache}-mounts,mounts=true")
        bench.change()
        report("one line changed, no cache", [bench.build() for _ in range(_ROUNDS)])
        mounts = f"{cache}-mounts"
        report("one line changed, cache mounts too", [bench.build("--cache-from", mounts) for _ in range(_ROUNDS)])


if __name__ == "__main__":
    main()
