"""Run the suites that try to break things; write what they have tried into docs/reliability.md (``make reliability``).

With arguments, these are given to pytest in place of the suites' folders; tables of which nothing was run stay as they
are.
"""

from __future__ import annotations

import ast
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parent.parent
TESTS: Final = ROOT / "tests"
SUITES: Final = ("tests/hostile", "tests/escape", "tests/faults")

sys.path.insert(0, str(TESTS))

from support import reliability  # noqa: E402  from the path set above
from support.reliability import Number, Table  # noqa: E402


def main(arguments: Sequence[str]) -> int:
    """Run, write, and return the exit code of the tests."""
    with tempfile.NamedTemporaryFile(mode="r", encoding="utf-8") as notes:
        scale = {"RELIABILITY_SCALE": "4", **os.environ}
        environment = {**scale, reliability.NOTES: notes.name, "PYTHONPATH": str(TESTS)}
        command = [sys.executable, "-m", "pytest", "-p", "support.reliability", *(arguments or SUITES)]
        code = subprocess.run(command, cwd=ROOT, env=environment, check=False).returncode
        tables = reliability.gathered(notes)
    for section, write in (
        ("suites", _suites), ("corpus", _corpus), ("archives", _archives), ("escapes", _escapes),
    ):  # fmt: skip
        if section in tables:
            reliability.rewrite(reliability.PAGE, section, write(tables[section]))
    return code


def _suites(found: Table) -> str:
    """Tests by file; files that have not been run now keep their rows."""
    before = reliability.cells_of(reliability.PAGE, "suites")
    rows: dict[str, Sequence[Number | str]] = {name: cells for name, cells in before.items() if _file(name).exists()}
    for module, cells in found.items():
        counts = [int(cells.get(outcome, 0)) for outcome in ("passed", "failed", "skipped")]
        rows[f"`{module}`"] = (_first_line(TESTS / module), *counts)
    return reliability.table("tests", ("what they do", "passed", "failed", "skipped"), dict(sorted(rows.items())))


def _file(name: str) -> Path:
    return TESTS / name.strip("`")


def _corpus(found: Table) -> str:
    from hostile import targets  # noqa: PLC0415  from the path set above

    rows: dict[str, Sequence[Number | str]] = {}
    for name, cells in sorted(found.items()):
        whole, damaged = int(cells.get("cases", 0)), int(cells.get("damaged", 0))
        slowest, peak = float(cells.get("seconds", 0.0)), int(cells.get("megabytes", 0))
        rows[f"`{name}`"] = (_sentence(targets.TARGETS[name].__doc__), whole, damaged, slowest, peak)
    columns = ("what reads it", "inputs", "damaged at random", "slowest input, s of processor", "memory at most, MiB")
    return reliability.table("target", columns, rows)


def _archives(found: Table) -> str:
    rows = {name: _counts(cells, ("archives", "entries", "refused")) for name, cells in sorted(found.items())}
    return reliability.table("archives", ("equal", "entries in them", "refused by both"), rows)


def _escapes(found: Table) -> str:
    places = sorted({place for cells in found.values() for place in cells} - {"reached"})
    rows: dict[str, Sequence[Number | str]] = {}
    for name, cells in found.items():
        rows[f"`{name}`"] = (_attempt(name), *_counts(cells, places), int(cells.get("reached", 0)))
    total = [sum(int(cells.get(place, 0)) for cells in found.values()) for place in (*places, "reached")]
    rows["all"] = ("", *total)
    return reliability.table("attempt", ("what is tried", *places, "got out"), rows)


def _attempt(name: str) -> str:
    """What an attempt says of itself: its module can't be imported outside of where it runs."""
    for path in sorted((TESTS / "escape/attempts").glob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef) and node.name == name:
                return _sentence(ast.get_docstring(node))
    return ""


def _counts(cells: dict[str, Number], names: Sequence[str]) -> list[Number]:
    return [int(cells.get(name, 0)) for name in names]


def _first_line(path: Path) -> str:
    return _sentence((ast.get_docstring(ast.parse(path.read_text())) or "").partition("\n\n")[0])


def _sentence(text: str | None) -> str:
    """The first sentence, in one line, as a cell of a table."""
    return " ".join((text or "").split()).partition(". ")[0].removesuffix(".").replace("|", "\\|")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
