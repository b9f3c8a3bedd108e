"""From a command line to the request that it stands for, and from an outcome to what is printed and written."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from dockerception import api
from dockerception.chain.finishing import ForPlatform, LevelSummary, Outcome
from dockerception.engines.base import Material, Output, Result
from dockerception.errors import StepError
from dockerception.progress import Notice, Reporter, StepFinished, StepStarted
from dockerception.reference import Platform, Reference
from dockerception.request import BuildRequest
from unit.cli.conftest import Run

IMAGE = f"sha256:{'ab' * 32}"


def outcome(request: BuildRequest, report: Reporter) -> Outcome:
    report(StepStarted(step=1, level=0, name="[builder 1/1] FROM scratch"))
    report(StepFinished(step=1, cached=True))
    return Outcome(
        platforms=tuple(
            ForPlatform(
                platform=platform,
                image=Result(image=IMAGE, size=14_000_000, names=request.tags),
                builders=(LevelSummary(level=0, key="k", size=812_000_000, is_cached=True),),
            )
            for platform in request.platforms or (Platform("linux", "amd64"),)
        ),
        materials=(Material(kind="image", name="golang", digest="sha256:1"),),
        seconds=0.25,
        is_cached=False,
    )


@pytest.fixture
def requests(monkeypatch: pytest.MonkeyPatch) -> list[BuildRequest]:
    """The requests that reach the API, which answers all of them well."""
    seen: list[BuildRequest] = []

    def answer(request: BuildRequest, report: Reporter) -> Outcome:
        seen.append(request)
        return outcome(request, report)

    monkeypatch.setattr(api, "build", answer)
    monkeypatch.setattr(api, "assemble", answer)
    return seen


def test_options_reach_the_request(run: Run, requests: list[BuildRequest], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOKEN", "secret")
    monkeypatch.delenv("UNSET", raising=False)
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")
    line = (
        "build -t app:1 -t reg.example.com/app -f docker/Dockerfile --target go --build-arg A=1=2 --build-arg TOKEN"
        " --build-arg UNSET --build-context golang=apt://?include=golang-go --label a=b --label c --no-cache"
        " --no-cache-filter one,two --no-cache-filter emit --pull --network none --platform linux/amd64 --load"
        " --output type=oci,dest=out.tar --runtime-file Run --runtime-dockerfile run/Dockerfile --emit-timeout 90s"
        " --max-context 2g --isolation oci --runtime crun --builder-tag=b:1 --allow device=a.b/c=d --cdi-spec-dir /etc"
        " --annotation k=v src -- make -j dist"
    )
    assert run(*line.split()).code == 0
    assert requests == [
        BuildRequest(
            source="src",
            dockerfile="docker/Dockerfile",
            tags=(Reference.parse("app:1"), Reference.parse("reg.example.com/app")),
            build_args={"A": "1=2", "TOKEN": "secret"},
            build_contexts={"golang": "apt://?include=golang-go"},
            target="go",
            labels={"a": "b", "c": ""},
            no_cache=True,
            no_cache_filter=frozenset({"one", "two", "emit"}),
            pull=True,
            network="none",
            platforms=(Platform("linux", "amd64"),),
            outputs=(
                Output(type="oci", destination="out.tar", attributes=(("annotation-manifest.k", "v"),)),
                Output(type="load", attributes=(("annotation-manifest.k", "v"),)),
            ),
            allow=frozenset({"device=a.b/c=d"}),
            cdi_spec_dirs=("/etc",),
            builder_tag="docker.io/library/b:1",
            runtime_file="Run",
            runtime_dockerfile="run/Dockerfile",
            command=("make", "-j", "dist"),
            emit_timeout=90.0,
            max_context=2 << 30,
            epoch=1700000000,
            store=requests[0].store,
            isolation="oci",
            runtime="crun",
        )
    ]


def test_defaults_are_those_of_the_request(run: Run, requests: list[BuildRequest], store_root: Path) -> None:
    run("build", ".")
    run("assemble", ".")
    assert requests == [BuildRequest(store=str(store_root))] * 2


def test_a_bare_builder_tag_does_not_eat_the_path(run: Run, requests: list[BuildRequest]) -> None:
    run("build", "-t", "app", "--builder-tag", "src")
    assert (requests[0].builder_tag, requests[0].source) == ("", "src")


def test_a_dockerfile_on_stdin_needs_no_path(run: Run, requests: list[BuildRequest]) -> None:
    assert run("assemble", "-f", "-").code == 0
    assert (requests[0].source, requests[0].dockerfile) == ("", "-")
    assert requests[0].read_stdin is not None


def test_the_commands_options_are_the_builders_after_two_dashes(run: Run, requests: list[BuildRequest]) -> None:
    run("build", ".", "--", "tar", "--", "-c", "--builder-tag", ".")
    assert requests[0].command == ("tar", "--", "-c", "--builder-tag", ".")


def test_variables_set_options_and_the_commands_own_is_stronger(
    run: Run, requests: list[BuildRequest], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKERCEPTION_TAG", "common")
    monkeypatch.setenv("DOCKERCEPTION_BUILD_TAG", "one:1\ntwo:2\n")
    monkeypatch.setenv("DOCKERCEPTION_BUILD_ARG", "A=hello world\nB=2")
    monkeypatch.setenv("DOCKERCEPTION_NO_CACHE", "1")
    monkeypatch.setenv("DOCKERCEPTION_EMIT_TIMEOUT", "1m")
    monkeypatch.setenv("DOCKERCEPTION_NETWORK", "")
    run("build", ".")
    run("assemble", ".")
    run("build", "-t", "line", "--emit-timeout", "2m", ".")
    first, second, third = requests
    assert [str(tag) for tag in first.tags] == ["docker.io/library/one:1", "docker.io/library/two:2"]
    assert [tag.familiar for tag in second.tags] == ["common:latest"]
    assert [tag.familiar for tag in third.tags] == ["line:latest"]
    assert first.build_args == {"A": "hello world", "B": "2"}
    assert (first.no_cache, first.emit_timeout, first.network) == (True, 60.0, "default")
    assert third.emit_timeout == 120.0


def test_a_bad_variable_is_reported_as_the_option(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKERCEPTION_BUILD_MAX_CONTEXT", "big")
    ran = run("build", ".")
    assert ran.code == 2
    assert "--max-context" in ran.err
    assert "“big” is not a size" in ran.err


def test_a_build_argument_is_stronger_than_the_environment(
    run: Run, requests: list[BuildRequest], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "5")
    for value in ("7", ""):
        assert run("build", "--build-arg", f"SOURCE_DATE_EPOCH={value}", ".").code == 0
    assert [request.epoch for request in requests] == [7, None]
    assert run("build", "--build-arg", "SOURCE_DATE_EPOCH=now", ".").code == 2


def test_a_bad_epoch_is_a_usage_error(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "yesterday")
    ran = run("build", ".")
    assert (ran.code, "SOURCE_DATE_EPOCH is “yesterday”" in ran.err) == (2, True)


def test_the_summary_tells_the_sizes(run: Run, requests: list[BuildRequest]) -> None:
    ran = run("build", "-t", "app", "--progress", "plain", ".")
    assert ran.out == ""
    assert ran.err == (
        "#1 [builder 1/1] FROM scratch\n#1 CACHED\n\n"
        "builder                  812MB\n"
        "runtime  abababababab     14MB  app:latest\n"
        "The runtime image is 1/58 of its builder.\n"
        "Done in 0.25s.\n"
    )


def test_quiet_prints_the_id_and_nothing_else(run: Run, requests: list[BuildRequest]) -> None:
    ran = run("build", "-q", ".")
    assert (ran.out, ran.err) == (f"{IMAGE}\n", "")


def test_iidfile_and_metadata_file(run: Run, requests: list[BuildRequest], tmp_path: Path) -> None:
    run("build", "-t", "app", "--iidfile", str(tmp_path / "id"), "--metadata-file", str(tmp_path / "meta"), ".")
    assert (tmp_path / "id").read_text() == IMAGE
    metadata = json.loads((tmp_path / "meta").read_text())
    assert metadata["containerimage.config.digest"] == IMAGE
    assert metadata["image.name"] == "docker.io/library/app:latest"
    assert metadata["dockerception.size"] == 14_000_000
    assert metadata["dockerception.levels"] == [
        {"level": 0, "key": "k", "image": "", "size": 812_000_000, "cached": True}
    ]
    assert metadata["dockerception.materials"] == [{"kind": "image", "name": "golang", "digest": "sha256:1"}]
    assert sorted(path.name for path in tmp_path.iterdir() if path.name != "store") == ["id", "meta"]


@pytest.fixture
def failing(monkeypatch: pytest.MonkeyPatch) -> None:
    """The API fails in a step."""

    def fail(request: BuildRequest, report: Reporter) -> Outcome:
        report(StepStarted(step=1, level=0, name="RUN make"))
        raise StepError("“RUN make” failed with exit code 2.", details="cc: not found", hint="install it")

    monkeypatch.setattr(api, "build", fail)


def test_a_failure_leaves_no_iidfile_and_names_the_log(
    run: Run, failing: Callable[[], None], tmp_path: Path, store_root: Path
) -> None:
    (tmp_path / "id").write_text("the id of an earlier image")
    ran = run("build", "--progress", "plain", "--iidfile", str(tmp_path / "id"), ".")
    assert ran.code == 1
    assert not (tmp_path / "id").exists()
    [log] = (store_root / "logs").iterdir()
    assert ran.err.splitlines()[-4:] == [
        "error[step-failed]: “RUN make” failed with exit code 2.",
        "cc: not found",
        "hint: install it",
        f"log: {log}",
    ]
    assert "#1 RUN make\n" in log.read_text()
    assert "error[step-failed]: “RUN make” failed with exit code 2.\ncc: not found\n" in log.read_text()


def test_a_failure_with_json_progress_is_an_object_too(run: Run, failing: Callable[[], None]) -> None:
    ran = run("build", "--progress", "json", ".")
    events = [json.loads(line) for line in ran.err.splitlines()]
    assert ran.code == 1
    assert [event["event"] for event in events] == ["step-started", "error"]
    assert (events[1]["code"], events[1]["exit_code"], events[1]["hint"]) == ("step-failed", 1, "install it")


def test_a_bug_of_ours_ends_with_70_and_leaves_a_traceback(
    run: Run, monkeypatch: pytest.MonkeyPatch, store_root: Path
) -> None:
    def break_down(request: BuildRequest, report: Reporter) -> Outcome:
        report(Notice(text="working"))
        raise KeyError("surprise")

    monkeypatch.setattr(api, "build", break_down)
    ran = run("build", "--progress", "plain", ".")
    assert ran.code == 70
    assert "Traceback" not in ran.err
    assert "KeyError: 'surprise'" in ran.err
    [traceback] = [path for path in (store_root / "logs").iterdir() if path.name.startswith("bug-")]
    assert str(traceback) in ran.err
    assert "in break_down" in traceback.read_text()


def test_a_traceback_that_the_store_does_not_take_goes_elsewhere(
    run: Run, monkeypatch: pytest.MonkeyPatch, store_root: Path, tmp_path: Path
) -> None:
    """A file can be made where nothing can be written into it."""

    def make(prefix: str, suffix: str, dir: str) -> tuple[int, str]:
        if dir == str(store_root / "logs"):
            return os.open("/dev/full", os.O_WRONLY), "/dev/full"
        return real(prefix=prefix, suffix=suffix, dir=str(tmp_path))

    def break_down(request: BuildRequest, report: Reporter) -> Outcome:
        raise KeyError("surprise")

    real = tempfile.mkstemp
    monkeypatch.setattr(tempfile, "mkstemp", make)
    monkeypatch.setattr(api, "build", break_down)
    ran = run("build", ".")
    [traceback] = tmp_path.glob("bug-*")
    assert (ran.code, str(traceback) in ran.err) == (70, True)
    assert "in break_down" in traceback.read_text()


def test_only_the_last_fifty_logs_stay(run: Run, requests: list[BuildRequest], store_root: Path) -> None:
    (store_root / "logs").mkdir(parents=True)
    for number in range(60):
        (store_root / "logs" / f"build-20010101T0000{number:02}Z-1.log").touch()
    run("build", ".")
    names = sorted(path.name for path in (store_root / "logs").iterdir())
    assert len(names) == 50
    assert names[0] == "build-20010101T000011Z-1.log"


class Emitted:
    def write_tar(self, write: Callable[[bytes], None]) -> None:
        write(b"tar")

    def write_directory(self, path: str) -> list[str]:
        Path(path).mkdir()
        return ["a device was left out"]


@pytest.fixture
def emitting(monkeypatch: pytest.MonkeyPatch) -> None:
    """The API emits a context."""

    @contextmanager
    def context(request: BuildRequest, report: Reporter) -> Iterator[Emitted]:
        yield Emitted()

    monkeypatch.setattr(api, "context", context)


def test_context_writes_where_it_is_told(run: Run, emitting: Callable[[], None], tmp_path: Path) -> None:
    assert run("context", "-q", ".").out == "tar"
    assert run("context", "-o", f"type=tar,dest={tmp_path}/c.tar", ".").out == ""
    assert (tmp_path / "c.tar").read_bytes() == b"tar"
    ran = run("context", "--progress", "plain", "-o", f"{tmp_path}/new", ".")
    assert (ran.code, ran.out, ran.err) == (0, "", "note: a device was left out\n")
    assert (tmp_path / "new").is_dir()


def test_context_refuses_a_directory_with_something_in_it(run: Run, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    ran = run("context", "-o", str(tmp_path), ".")
    assert (ran.code, "is not empty" in ran.err) == (2, True)


def test_tars_are_not_written_to_a_terminal(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dockerception.cli.output.is_terminal", lambda: True)
    monkeypatch.setattr("dockerception.cli.commands.context.is_terminal", lambda: True)
    for line in ("context .", "build -o - .", "build -o type=oci .", "save app"):
        ran = run(*line.split())
        assert ran.code == 2, line
        assert "stdout is a terminal" in ran.err, line
