"""Where runs of the tests write what they have done: between two marks of a document."""

from __future__ import annotations

from pathlib import Path


def put(report: Path, mark: str, text: str) -> None:
    """Replace what is between ``<!-- mark -->`` and ``<!-- end of mark -->``."""
    before, begin, rest = report.read_text().partition(f"<!-- {mark} -->\n")
    _, end, after = rest.partition(f"<!-- end of {mark} -->")
    assert end, f"{report} has no place for “{mark}”"
    report.write_text(f"{before}{begin}\n{text}\n\n{end}{after}")
