"""Coverage-guided fuzzing of everything that reads bytes from elsewhere: ``make fuzz``, or this with names of targets.

Each target of ``tests/hostile/targets.py`` is fuzzed for FUZZ_SECONDS (default 60), from the hostile corpus and from
what earlier runs have kept in ``.fuzz/``.  What fails is kept there too, as ``<target>-crash-…``, and ends this with
code 1; it becomes a case of ``tests/hostile/corpus.py`` when it is mended.  It takes the package atheris, which ``make
fuzz`` installs.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parent.parent
KEPT: Final = ROOT / ".fuzz"
SECONDS: Final = os.environ.get("FUZZ_SECONDS", "60")

sys.path.insert(0, str(ROOT / "tests"))


def fuzz(target: str) -> None:
    """Fuzz one target; never returns, libFuzzer ends the process."""
    import atheris  # type: ignore[import-untyped,unused-ignore]  # noqa: PLC0415  before what it instruments

    with atheris.instrument_imports(include=["dockerception"]):
        from hostile import targets  # noqa: PLC0415
    options = [f"-max_total_time={SECONDS}", "-timeout=20", "-rss_limit_mb=2048", "-max_len=65536"]
    options += [f"-artifact_prefix={KEPT}/{target}-", str(KEPT / target)]
    atheris.Setup([sys.argv[0], *options], targets.TARGETS[target])
    atheris.Fuzz()


def seed(target: str) -> None:
    """Put the hostile corpus where libFuzzer looks for seeds."""
    folder = KEPT / target
    folder.mkdir(parents=True, exist_ok=True)
    subprocess.run([sys.executable, str(ROOT / "tests/hostile/corpus.py"), str(folder)], check=True)


def main(names: list[str]) -> int:
    """Fuzz the targets one after another, each in a process of its own; returns the exit code."""
    from hostile import targets  # noqa: PLC0415  from the path set above

    failed = []
    for target in names or sorted(targets.TARGETS):
        seed(target)
        print(f"fuzz: {target} for {SECONDS} s", flush=True)
        if subprocess.run([sys.executable, __file__, "--one", target], check=False).returncode != 0:
            failed.append(target)
    for target in failed:
        print(f"fuzz: {target} has failed; what it was given is in {KEPT}", file=sys.stderr)
    return bool(failed)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--one"]:
        fuzz(sys.argv[2])
    sys.exit(main(sys.argv[1:]))
