"""Counts what suites have tried, and writes the tables of docs/reliability.md from it.

Tests call ``count``; as a plugin (``pytest -p support.reliability``) this also counts the tests themselves.  With
``RELIABILITY_NOTES`` set, both go into that file, a line each, from any number of processes; ``make reliability`` sets
it and then makes the page of the file.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Final

import pytest

NOTES: Final = "RELIABILITY_NOTES"
ROOT: Final = Path(__file__).resolve().parents[2]
SCALE: Final = int(os.environ.get("RELIABILITY_SCALE", "1"))
"""How many times as many random inputs as in ``make test``."""
PAGE: Final = ROOT / "docs/reliability.md"

Number = int | float
Table = dict[str, dict[str, Number]]


def count(section: str, row: str, **columns: Number) -> None:
    """Add to a row of a table: whole numbers are summed up, of others the largest counts."""
    if notes := os.environ.get(NOTES):
        with open(notes, "a", encoding="utf-8") as file:
            file.write(json.dumps([section, row, columns]) + "\n")


def gathered(notes: Iterable[str]) -> dict[str, Table]:
    """The tables by section, of the lines that ``count`` has written."""
    tables: dict[str, Table] = {}
    for section, row, columns in map(json.loads, notes):
        cells = tables.setdefault(section, {}).setdefault(row, {})
        for name, number in columns.items():
            known = cells.get(name, 0)
            cells[name] = known + number if isinstance(number, int) else max(known, number)
    return tables


def table(first: str, columns: Sequence[str], rows: Mapping[str, Sequence[Number | str]]) -> str:
    """A table in Markdown: the first column is the rows' names."""
    lines = [f"| {' | '.join((first, *columns))} |", f"| {' | '.join(['---'] * (len(columns) + 1))} |"]
    lines += [f"| {' | '.join((name, *map(_shown, cells)))} |" for name, cells in rows.items()]
    return "\n".join(lines)


def rewrite(page: Path, section: str, text: str) -> None:
    """Put a text between the two marks of a section; raises ``ValueError`` where the page has none."""
    begin, end = f"<!-- {section} -->\n", f"<!-- end of {section} -->"
    before, mark, rest = page.read_text().partition(begin)
    _, closing, after = rest.partition(end)
    if not mark or not closing:
        raise ValueError(f"{page} has no place for “{section}”")
    page.write_text(f"{before}{begin}\n{text}\n\n{end}{after}")


def cells_of(page: Path, section: str) -> dict[str, list[str]]:
    """The rows of a section's table by their names, as they are written."""
    text = page.read_text().partition(f"<!-- {section} -->\n")[2].partition(f"<!-- end of {section} -->")[0]
    rows = [line.removeprefix("| ").removesuffix(" |").split(" | ") for line in text.splitlines() if line[:2] == "| "]
    return {name: cells for name, *cells in rows[2:]}


def _shown(cell: Number | str) -> str:
    if isinstance(cell, str):
        return cell
    return f"{cell:,}" if isinstance(cell, int) else f"{cell:.2f}"


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Count a test under its file: once, when it is over, or when it has failed or been skipped before."""
    if report.when == "call" or report.outcome != "passed":
        module = report.nodeid.partition("::")[0].removeprefix("tests/")
        count("suites", module, **{report.outcome: 1})
