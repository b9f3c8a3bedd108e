"""Coverage-guided fuzzing of everything that reads bytes from elsewhere: ``make fuzz``, or this with names of targets.

Each target of ``tests/hostile/targets`` is fuzzed for FUZZ_SECONDS (default 60), from the hostile corpus and from
what earlier runs have kept in ``.fuzz/``.  What fails is kept there too, as ``<target>-crash-…``, and ends this with
code 1; it becomes a case of the hostile corpus when it is mended.  With FUZZ_REPORT the table of what was done goes
into that page.  It takes the package atheris, which ``make fuzz`` installs.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parent.parent
KEPT: Final = ROOT / ".fuzz"
SECONDS: Final = os.environ.get("FUZZ_SECONDS", "60")
REPORT: Final = os.environ.get("FUZZ_REPORT", "")
COLUMNS: Final = ("seconds", "executions", "edges of the code reached", "inputs kept", "failed")
_DONE: Final = re.compile(rb"Done (\d+) runs in (\d+) second")
_LAST: Final = re.compile(rb"#\d+\s+DONE\s+cov: (\d+) .*corp: (\d+)/")

sys.path.insert(0, str(ROOT / "tests"))


def fuzz(target: str) -> None:
    """Fuzz one target; never returns, libFuzzer ends the process."""
    import atheris  # type: ignore[import-untyped,unused-ignore]  # noqa: PLC0415  before what it instruments

    with atheris.instrument_imports(include=["dockerception"]):
        from hostile import targets  # noqa: PLC0415
    options = [f"-max_total_time={SECONDS}", "-timeout=60", "-rss_limit_mb=2048", "-max_len=65536"]
    options += [f"-artifact_prefix={KEPT}/{target}-", str(KEPT / target)]
    atheris.Setup([sys.argv[0], *options], targets.TARGETS[target])
    atheris.Fuzz()


def run(target: str) -> tuple[int, int, int, int, int]:
    """Fuzz a target in a process of its own; returns a row of the table."""
    from hostile import corpus  # noqa: PLC0415  from the path set above

    folder = KEPT / target
    folder.mkdir(parents=True, exist_ok=True)
    corpus.write(target, folder)
    log = KEPT / f"{target}.log"
    print(f"fuzz: {target} for {SECONDS} s", flush=True)
    with open(log, "wb") as out:
        code = subprocess.run(
            [sys.executable, __file__, "--one", target], stdout=out, stderr=subprocess.STDOUT, check=False
        ).returncode
    said = log.read_bytes()
    done, last = _DONE.search(said), _LAST.search(said)
    if code != 0 or done is None or last is None:
        print(said[-4000:].decode(errors="replace"), file=sys.stderr)
        print(f"fuzz: {target} has failed; what it was given is in {KEPT}", file=sys.stderr)
        return 0, 0, 0, 0, 1
    return int(done[2]), int(done[1]), int(last[1]), int(last[2]), 0


def main(names: list[str]) -> int:
    """Fuzz the targets one after another; returns the exit code."""
    from hostile import targets  # noqa: PLC0415  from the path set above

    rows = {name: run(name) for name in names or sorted(targets.TARGETS)}
    for name, (seconds, executions, *_) in rows.items():
        print(f"fuzz: {name}: {executions} executions in {seconds} s")
    if REPORT:
        from support import reliability  # noqa: PLC0415

        page = Path(REPORT)
        known = {f"`{name}`" for name in targets.TARGETS}
        shown = {name: row for name, row in reliability.cells_of(page, "fuzzing").items() if name in known}
        shown |= {f"`{name}`": [f"{cell:,}" for cell in row] for name, row in rows.items()}
        reliability.rewrite(page, "fuzzing", reliability.table("target", COLUMNS, dict(sorted(shown.items()))))
    return int(any(failed for *_, failed in rows.values()))


if __name__ == "__main__":
    if sys.argv[1:2] == ["--one"]:
        fuzz(sys.argv[2])
    sys.exit(main(sys.argv[1:]))
