"""The page of what was tried: how it is written, and that it has a row for everything there is to try."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from hostile import targets
from support import reliability

ROOT = reliability.ROOT
_SUITES = ("hostile", "escape")


def _rows(section: str) -> set[str]:
    return {name.strip("`") for name in reliability.cells_of(reliability.PAGE, section)}


def test_every_target_has_been_tried_and_fuzzed() -> None:
    assert _rows("corpus") == set(targets.TARGETS)
    assert _rows("fuzzing") == set(targets.TARGETS)


def test_every_attempt_has_been_made_and_has_failed() -> None:
    attempts = set()
    for path in (ROOT / "tests/escape/attempts").glob("*.py"):
        attempts |= {
            element.id
            for node in ast.parse(path.read_text()).body
            if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "ATTEMPTS"
            for element in ast.walk(node.value)
            if isinstance(element, ast.Name)
        }
    assert _rows("escapes") == {*attempts, "all"}
    assert reliability.cells_of(reliability.PAGE, "escapes")["all"][-1] == "0"


def test_every_file_of_hostile_bytes_and_escapes_has_been_run_and_nothing_has_failed() -> None:
    rows = reliability.cells_of(reliability.PAGE, "suites")
    run = {name.strip("`") for name in rows}
    assert run >= {f"{suite}/{path.name}" for suite in _SUITES for path in (ROOT / "tests" / suite).glob("test_*.py")}
    assert all((ROOT / "tests" / name).exists() for name in run)
    assert {cells[2] for cells in rows.values()} == {"0"}


def test_notes_of_several_processes_become_one_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    notes, page = tmp_path / "notes", tmp_path / "page.md"
    monkeypatch.setenv(reliability.NOTES, str(notes))
    reliability.count("kinds", "one", tried=2, seconds=0.5)
    reliability.count("kinds", "one", tried=3, seconds=0.25)
    reliability.count("kinds", "two", tried=1000)
    found = reliability.gathered(notes.read_text().splitlines())
    assert found == {"kinds": {"one": {"tried": 5, "seconds": 0.5}, "two": {"tried": 1000}}}
    page.write_text("before\n<!-- kinds -->\nold\n<!-- end of kinds -->\nafter\n")
    rows = {name: [cells["tried"], cells.get("seconds", 0.0)] for name, cells in found["kinds"].items()}
    reliability.rewrite(page, "kinds", reliability.table("kind", ["tried", "s"], rows))
    lines = ["| kind | tried | s |", "| --- | --- | --- |", "| one | 5 | 0.50 |", "| two | 1,000 | 0.00 |"]
    text = "\n".join(lines)
    assert page.read_text() == f"before\n<!-- kinds -->\n\n{text}\n\n<!-- end of kinds -->\nafter\n"
    assert reliability.cells_of(page, "kinds") == {"one": ["5", "0.50"], "two": ["1,000", "0.00"]}


def test_a_page_without_the_place_is_an_error(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("nothing\n")
    with pytest.raises(ValueError, match="no place for “kinds”"):
        reliability.rewrite(page, "kinds", "")


def test_nothing_is_noted_unless_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(reliability.NOTES, raising=False)
    reliability.count("kinds", "one", tried=1)
