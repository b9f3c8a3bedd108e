"""``--check`` and ``--call``, and what build checks do in a build."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest

import dockerception
from dockerception.errors import CheckError
from dockerception.progress import Event, Notice
from unit.cli.conftest import AddImage, Run

DOCKERFILE = "FROM scratch as base\n# A is a letter\nARG A=1\nCOPY $B /\n"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A source directory whose Dockerfile does not pass."""
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "Dockerfile").write_text(DOCKERFILE)
    (folder / "file").write_text("x")
    return folder


def test_check_shows_rule_text_and_lines_and_builds_nothing(run: Run, project: Path, store_root: Path) -> None:
    for arguments in (("--check",), ("--call=check",), ("--call", "lint"), ("--check", "-q")):
        ran = run("assemble", *arguments, str(project))
        assert (ran.code, ran.err) == (3, "")
        assert ran.out.startswith("Check complete: 2 warnings.\n\nWARNING: FromAsCasing: ")
        assert "“as” is not in the case of “FROM”\nDockerfile:1\n" in ran.out
        assert "   4 | >>> COPY $B /\n" in ran.out
    assert run("images", "-q").out == ""


def test_what_passes_is_said_to_pass(run: Run, project: Path) -> None:
    (project / "Dockerfile").write_text(f"# check=skip=UndefinedVar,FromAsCasing;error=true\n{DOCKERFILE}")
    ran = run("build", "--check", str(project))
    assert (ran.code, ran.out, ran.err) == (0, "Check complete: no warnings.\n", "")


def test_answers_as_json_have_the_names_that_buildkit_uses(run: Run, project: Path) -> None:
    (project / ".dockerignore").write_text("file\n")
    (project / "Dockerfile").write_text("# check=skip=all;experimental=all\nFROM scratch\nCOPY file /\n")
    ran = run("build", "--call=check,format=json", str(project))
    answer = json.loads(ran.out)
    (warning,) = answer["warnings"]
    assert (ran.code, warning["ruleName"]) == (3, "CopyIgnoredFile")
    place = {"start": {"line": 3}, "end": {"line": 3}}
    assert warning["location"] == {"sourceIndex": 0, "ranges": [place]}
    (source,) = answer["sources"]
    assert base64.b64decode(source["data"]) == (project / "Dockerfile").read_bytes()
    assert source["filename"] == "Dockerfile"


@pytest.mark.parametrize(
    ("source", "is_found"),
    [("sub", False), ("sub/*.txt", False), ("sub/kept", False), ("sub/other", True), ("gone", True), (".", False)],
)
def test_an_exception_below_a_source_leaves_something_to_copy(
    run: Run, project: Path, source: str, is_found: bool
) -> None:
    (project / ".dockerignore").write_text("sub\n!sub/kept\ngone\n")
    (project / "Dockerfile").write_text(f"# check=skip=all;experimental=all\nFROM scratch\nCOPY {source} /\n")
    ran = run("build", "--check", str(project))
    assert ("CopyIgnoredFile" in ran.out, ran.code) == ((True, 3) if is_found else (False, 0))


def test_outline_and_targets(run: Run, project: Path) -> None:
    assert run("build", "--call=targets", str(project)).out == "TARGET           DESCRIPTION\nbase (default)\n"
    outline = run("build", "--call=outline", "--build-arg", "A=2", str(project))
    assert outline.out == "TARGET: base\n\nBUILD ARG   VALUE   DESCRIPTION\nA           2       is a letter\n"
    targets = json.loads(run("build", "--call=targets,format=json", str(project)).out)["targets"]
    assert [(each["name"], each["default"], each["base"]) for each in targets] == [("base", True, "scratch")]
    arguments = json.loads(run("build", "--call=outline,format=json", str(project)).out)["args"]
    assert [(each["name"], each["value"]) for each in arguments] == [("A", "1")]


def test_a_dockerfile_that_is_wrong_is_an_error_as_ever(run: Run, project: Path) -> None:
    (project / "Dockerfile").write_text("FROM scratch\nCOPPY a b\n")
    ran = run("assemble", "--check", str(project))
    assert (ran.code, ran.out) == (3, "")
    assert "did you mean COPY?" in ran.err


def test_wrong_methods(run: Run, project: Path) -> None:
    assert "There is no method “chekc”" in run("build", "--call=chekc", str(project)).err
    assert run("build", "--call=check,format=xml", str(project)).code == 2


def test_variables_of_a_base_in_the_store_are_known(run: Run, project: Path, add_image: AddImage) -> None:
    add_image("base", env=["B=file"])
    (project / "Dockerfile").write_text("FROM base\nCOPY $B /\n")
    assert run("assemble", "--check", str(project)).code == 0


def test_a_build_warns_at_its_end_and_once(project: Path) -> None:
    (project / "Dockerfile").write_text("FROM scratch as base\nCOPY file /\n")
    events: list[Event] = []
    for _ in range(2):
        dockerception.assemble(project, report=events.append)
    warnings = [event.text for event in events if isinstance(event, Notice) and event.severity == "warning"]
    assert warnings == [
        "1 build check warns (docs/check.md; --check shows the lines):",
        "FromAsCasing: “as” is not in the case of “FROM” (Dockerfile:1)",
    ]


def test_findings_that_are_errors_end_a_build_before_it_begins(project: Path) -> None:
    for text, build_args in ((f"# check=error=true\n{DOCKERFILE}", {}), (DOCKERFILE, "error=true")):
        (project / "Dockerfile").write_text(text)
        given = {"BUILDKIT_DOCKERFILE_CHECK": build_args} if isinstance(build_args, str) else {}
        events: list[Event] = []
        with pytest.raises(CheckError) as failure:
            dockerception.assemble(project, build_args=given, report=events.append)
        assert failure.value.exit_code == 3
        assert failure.value.message == "Dockerfile does not pass its build checks: FromAsCasing, UndefinedVar."
        assert ">>> FROM scratch as base" in failure.value.details
        assert events == []


def test_the_argument_that_sets_a_check_is_used(project: Path) -> None:
    (project / "Dockerfile").write_text("FROM scratch as base\nCOPY file /\n")
    events: list[Event] = []
    given = {"BUILDKIT_DOCKERFILE_CHECK": "skip=all"}
    dockerception.assemble(project, build_args=given, report=events.append)
    assert [event for event in events if isinstance(event, Notice)] == []


def test_the_python_api_gives_findings(project: Path) -> None:
    checked = dockerception.check(project)
    assert [(each.rule, each.location.start) for each in checked.findings] == [("FromAsCasing", 1), ("UndefinedVar", 4)]
    assert not checked.is_error
    assert checked.excerpt(checked.findings[1]).startswith("Dockerfile:4\n")
