"""The example of ``dockerception.testing`` in the reference does what it says."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

REFERENCE = Path(__file__).parents[3] / "docs/reference/python.md"
_EXAMPLE = re.compile(r"^```python\n(.*?FakeEngine.*?)^```$", re.DOTALL | re.MULTILINE)


def test_the_example_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (example,) = _EXAMPLE.findall(REFERENCE.read_text())
    assert "assert" in example
    monkeypatch.setenv("DOCKERCEPTION_HOME", str(tmp_path / "store"))
    monkeypatch.chdir(tmp_path)
    exec(compile(example, str(REFERENCE), "exec"), {})
