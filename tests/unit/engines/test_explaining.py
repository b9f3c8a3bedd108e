"""Why a step is not in the cache: what is said of steps that copy, each after one change to an earlier build."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dockerception.engines.embedded.file_facts import shortened
from dockerception.engines.explaining import Facts, FileFact, Miss
from dockerception.progress import StepExplained, StepStarted
from unit.engines.lab import Lab, folder

TEXT = """\
FROM base AS builder
COPY tool /tool
COPY --chmod=644 source/ docs* /work/
FROM scratch
COPY --from=builder /work /work
"""
FILES = {"tool": "t", "source/main.go": "1", "source/util.go": "2", "docs.md": "d"}


def explained(lab: Lab, text: str, path: Path, **changes: Any) -> dict[str, str]:
    """What a build says of its steps, by their names up to the second bracket."""
    options: dict[str, Any] = {"explain": True, "build_contexts": {"base": os.fspath(path.parent / "base")}}
    lab.build(text, folder(path, {}), **{**options, **changes})
    names = {event.step: event.name for event in lab.events if isinstance(event, StepStarted)}
    found = [event for event in lab.events if isinstance(event, StepExplained)]
    assert len({event.step for event in found}) == len(found)
    return {names[event.step].partition("]")[0][1:]: event.text for event in found}


@pytest.fixture
def sources(tmp_path: Path) -> Path:
    """The directory of the sources, beside which the base image's files are."""
    folder(tmp_path / "base", {"etc/os-release": "one"})
    folder(tmp_path / "c", FILES)
    return tmp_path / "c"


def test_a_first_build_and_one_in_which_nothing_changed(lab: Lab, sources: Path) -> None:
    first = "there is no earlier build of it"
    assert explained(lab, TEXT, sources) == {"builder 2/3": first, "stage-1 2/2": first}
    assert explained(lab, TEXT, sources) == {}


def _base(sources: Path) -> None:
    folder(sources.parent / "base", {"etc/os-release": "two"})


def _many(sources: Path) -> None:
    folder(sources, {f"source/{name}": "new" for name in "abcde"})


@pytest.mark.parametrize(
    ("change", "step", "expected"),
    [
        (
            lambda path: folder(path, {"tool": "u"}),
            "builder 2/3",
            r"tool changed \(content sha256:[0-9a-f]{12}… → [0-9a-f]{12}…\)",
        ),
        (lambda path: (path / "tool").chmod(0o755), "builder 2/3", r"tool has mode 0755, had 0644"),
        (lambda path: folder(path, {"source/main.go": "9"}), "builder 3/3", r"source/main.go changed \(content .*\)"),
        (lambda path: (path / "docs.md").rename(path / "docs.txt"), "builder 3/3", "docs.md is gone, docs.txt is new"),
        (_many, "builder 3/3", "source/a is new, source/b is new, source/c is new, and 2 more differ"),
        (_base, "builder 2/3", r"the base image base changed \(sha256:[0-9a-f]{12}… → sha256:[0-9a-f]{12}…\)"),
    ],
)
def test_what_changed(lab: Lab, sources: Path, change: Callable[[Path], object], step: str, expected: str) -> None:
    explained(lab, TEXT, sources)
    change(sources)
    said = explained(lab, TEXT, sources)
    assert next(iter(said)) == step
    assert re.fullmatch(expected, said[step]), said


def test_only_the_first_of_a_stage_and_files_of_another_stage(lab: Lab, sources: Path) -> None:
    explained(lab, TEXT, sources)
    folder(sources, {"tool": "u", "source/main.go": "9"})
    said = explained(lab, TEXT, sources)
    assert list(said) == ["builder 2/3", "stage-1 2/2"]
    assert said["stage-1 2/2"].startswith("work/main.go in the stage builder changed (content sha256:")


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (
            "--chmod=644",
            "--chmod=600",
            "it was “COPY --chmod=644 source/ docs* /work/”, is “COPY --chmod=600 source/ docs* /work/”",
        ),
        ("COPY tool /tool", "COPY tool /tool\nCOPY docs.md /", "there is no earlier build of it"),
        ("FROM base", "FROM scratch", "it is built on scratch, was on the base image base"),
    ],
)
def test_a_changed_dockerfile(lab: Lab, sources: Path, old: str, new: str, expected: str) -> None:
    explained(lab, TEXT, sources)
    said = explained(lab, TEXT.replace(old, new), sources)
    assert next(iter(said.values())) == expected


def test_what_was_asked_for(lab: Lab, sources: Path) -> None:
    explained(lab, TEXT, sources)
    said = explained(lab, TEXT, sources, no_cache=True)
    assert set(said.values()) == {"--no-cache or --no-cache-filter asks for it"}


def test_another_stage_of_this_name_in_another_place_explains_nothing(lab: Lab, sources: Path) -> None:
    traces = lab.store.traces
    facts = Facts(text="RUN make", environment={"A": "1"})
    Miss(traces, site=("/here", "0"), slot="Run 1", key="1", facts=facts).keep()
    other = Facts(text="RUN make", environment={"A": "2"})
    assert Miss(traces, site=("/there", "0"), slot="Run 1", key="2", facts=other).why().cause == "first"
    assert Miss(traces, site=("/here", "0"), slot="Run 1", key="2", facts=other).why().text == "ENV A was “1”, is “2”"
    assert Miss(traces, site=("/here", "0"), slot="Run 1", key="1", facts=facts).why().cause == "pruned"


def test_the_last_builds_are_remembered_and_the_most_similar_one_counts(lab: Lab) -> None:
    traces = lab.store.traces

    def miss(key: str, **files: str) -> Miss:
        facts = Facts(text="COPY . /", files={name: FileFact(0o644, text.encode()) for name, text in files.items()})
        return Miss(traces, site=("place",), slot="Copy 1", key=key, facts=facts)

    miss("0", a="0", b="0", c="0").keep()
    miss("1", a="1", b="1", c="1").keep()
    assert miss("x", a="0", b="0", c="x").why().paths == ("c",)
    for key in "2345":
        miss(key, a=key, b=key, c=key).keep()
    assert miss("x", a="0", b="0", c="x").why().paths == ("a", "b", "c")


def test_a_large_tree_is_remembered_by_its_directories() -> None:
    files = {f"top/{group}/{number}": FileFact(0o644, b"same") for group in range(20) for number in range(100)}
    before = shortened({**files, "README": FileFact(0o644, b"readme")})
    assert len(before) == 21
    after = shortened({**files, "README": FileFact(0o644, b"readme"), "top/7/50": FileFact(0o644, b"else")})
    assert [path for path in before if before[path] != after[path]] == ["top/7/"]
