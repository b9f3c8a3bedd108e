"""The folders of tests/dockerfiles are cases, and their table is up to date."""

from __future__ import annotations

from pathlib import Path

import pytest

from peers import cases


def test_every_folder_is_a_case() -> None:
    assert cases.names() == sorted(path.name for path in cases.FOLDER.iterdir() if path.is_dir())


def test_the_table_of_rules_is_up_to_date() -> None:
    assert (cases.FOLDER / "README.md").read_text() == cases.table()


@pytest.mark.parametrize("name", cases.names())
def test_a_context_holds_no_file_of_the_test(name: str, tmp_path: Path) -> None:
    case = cases.load(name, tmp_path)
    assert (case.context / "Dockerfile").is_file()
    assert not {"expect.json", "prepare", "base"} & {path.name for path in case.context.iterdir()}


def test_arguments_know_where_the_context_is(tmp_path: Path) -> None:
    case = cases.load("file-option", tmp_path)
    assert case.arguments == ["--file", f"{tmp_path}/context/other/Containerfile"]
