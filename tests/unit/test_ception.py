"""The loop over levels, with an engine that builds nothing."""

from __future__ import annotations

import io
import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from dockerception.ception import Chain
from dockerception.chain.finishing import Made, Outcome, finish
from dockerception.engines.base import Capabilities, Output, Secret, Settings, SshAgent
from dockerception.errors import (
    BuilderError,
    ContextError,
    DockerceptionError,
    DockerfileError,
    EmitTimeoutError,
    StreamError,
    TransportError,
    UnsupportedError,
    UsageError,
)
from dockerception.progress import Event, LevelFinished, Notice, StepFinished
from dockerception.reference import Platform, Reference
from dockerception.request import BuildRequest
from dockerception.store.store import Store
from unit.fake_engine import FakeEngine
from unit.transports.images import tar_of

RUNTIME = b"FROM scratch\nCOPY app /"
EMITTED = tar_of({"Dockerfile": RUNTIME, "app": b"program"})


class Run:
    """A chain for one platform, and its end."""

    def __init__(self, chain: Chain, request: BuildRequest, engine: FakeEngine, events: list[Event]) -> None:
        self.emit = chain.emit
        self._chain = chain
        self._request = request
        self._engine = engine
        self._events = events

    def build(self) -> Outcome:
        return self._finish(self._chain.build())

    def assemble(self) -> Outcome:
        return self._finish(self._chain.assemble())

    def _finish(self, made: Made) -> Outcome:
        return finish([made], self._request, self._engine, self._events.append, started=0.0)


class Bench:
    """A source directory, a store, and what chains over them reported."""

    def __init__(self, path: Path, store: Store) -> None:
        self.source = path / "source"
        self.source.mkdir()
        (self.source / "Dockerfile").write_text('FROM scratch\nCMD ["tar"]')
        self.store = store
        self.events: list[Event] = []

    def chain(self, engine: FakeEngine, **options: Any) -> Run:
        """A chain with these options of a request and of settings."""
        of_settings = {name: value for name, value in options.items() if name in Settings.__struct_fields__}
        platform, *_ = options.get("platforms", (Platform("linux", "amd64"),))
        settings = Settings(platform=platform, epoch=5)
        request = BuildRequest(source=os.fspath(self.source))
        request = msgspec.structs.replace(request, **options)
        settings = msgspec.structs.replace(settings, **of_settings)
        return Run(Chain(request, settings, engine, self.store, self.events.append), request, engine, self.events)

    def notes(self, severity: str = "note") -> list[str]:
        """The notices so far."""
        return [event.text for event in self.events if isinstance(event, Notice) and event.severity == severity]


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    """A bench of the test's own."""
    with Store(os.fspath(tmp_path / "store")) as store:
        yield Bench(tmp_path, store)


def names(*texts: str) -> tuple[Reference, ...]:
    return tuple(map(Reference.parse, texts))


def test_two_levels(bench: Bench) -> None:
    engine = FakeEngine(EMITTED)
    outcome = bench.chain(engine, tags=names("app", "app:1"), labels={"l": "1"}, target="t").build()
    assert engine.calls == ["build 0", "emit", "build 1", "publish", "name"]
    assert engine.seen(0) == ('FROM scratch\nCMD ["tar"]', ["Dockerfile"])
    assert engine.seen(1) == ("FROM scratch\nCOPY app /", ["Dockerfile", "app"])
    assert [level.will_emit for level in engine.levels] == [True, False]
    assert [level.target for level in engine.levels] == ["t", ""]
    assert engine.named == ["app:latest", "app:1"]
    assert outcome.image.image == "sha256:1l"
    assert [(builder.level, builder.size, builder.image) for builder in outcome.builders] == [(0, 10, "")]
    assert [material.name for material in outcome.materials] == ["base", "base0", "base1"]
    finished = [event for event in bench.events if isinstance(event, LevelFinished)]
    assert [(event.level, event.is_last, event.cached) for event in finished] == [(0, False, True), (1, True, False)]


@pytest.mark.parametrize(
    ("lacking", "options", "message"),
    [
        ("secrets", {"secrets": (Secret(id="s", file="/s"),)}, "can't give secrets to steps"),
        ("ssh", {"ssh": (SshAgent(id="default"),)}, "can't give an ssh agent to steps"),
        ("insecure", {"allow": frozenset({"security.insecure"})}, "can't run steps with all privileges"),
        ("insecure", {"allow": frozenset({"device=a.b/c"})}, "can't give devices to steps"),
    ],
)
def test_what_an_engine_can_not_do_is_refused_before_it_starts(
    bench: Bench, lacking: str, options: dict[str, Any], message: str
) -> None:
    engine = FakeEngine(EMITTED)
    engine.capabilities = msgspec.structs.replace(Capabilities(name="The fake engine"), **{lacking: False})
    with pytest.raises(UnsupportedError, match=message):
        bench.chain(engine, **options).build()
    assert engine.calls == []
    engine.capabilities = Capabilities(name="The fake engine")
    bench.chain(engine, **options).build()
    assert [level.settings.secrets for level in engine.levels] == [options.get("secrets", ())] * 2


def test_caches_elsewhere(bench: Bench) -> None:
    engine = FakeEngine(EMITTED)
    with pytest.raises(UnsupportedError, match="no cache elsewhere"):
        bench.chain(engine, cache_to=("c",)).build()
    engine.capabilities = Capabilities(name="The fake engine", caches=True)
    outputs = (Output(type="oci", destination="x"),)
    bench.chain(engine, tags=names("app"), outputs=outputs, cache_from=("c",), cache_to=("c",)).build()
    kept = "export cache of 2 levels, 1 contexts"
    assert engine.calls == [
        *("build 0", "fetch context", "emit", "build 1", "publish", "export oci app:latest", kept, "name")
    ]
    engine.fails["export cache"] = TransportError("The registry is gone.")
    engine.named.clear()
    with pytest.raises(TransportError):
        bench.chain(engine, tags=names("app"), cache_to=("c",)).build()
    assert engine.named == [], "a build whose cache could not be kept has failed"


def test_an_engine_that_can_not_explain_is_told_so_before_it_starts(bench: Bench) -> None:
    engine = FakeEngine(EMITTED)
    with pytest.raises(UnsupportedError, match="can't say why steps are done again") as caught:
        bench.chain(engine, explain=True).build()
    assert caught.value.hint == "the embedded engine explains"
    assert engine.calls == []


def test_one_level(bench: Bench) -> None:
    engine = FakeEngine()
    outcome = bench.chain(engine, tags=names("app"), target="t").assemble()
    assert engine.calls == ["build 0", "publish", "name"]
    assert [(level.will_emit, level.target) for level in engine.levels] == [(False, "t")]
    assert outcome.builders == ()
    assert outcome.is_cached


def test_a_socket_becomes_an_empty_file_with_a_warning(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(bench.source)  # the path of a socket may have 107 bytes at most
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind("agent")
        engine = FakeEngine()
        bench.chain(engine).assemble()
    assert engine.seen(0)[1] == ["Dockerfile", "agent"]
    assert bench.notes("warning") == ["The socket agent is an empty file in the context."]


def test_only_the_context(bench: Bench) -> None:
    engine = FakeEngine(EMITTED)
    emitted = bench.chain(engine, tags=names("app")).emit()
    assert engine.calls == ["build 0", "emit"]
    assert list(emitted.toc.paths()) == ["Dockerfile", "app"]


@pytest.mark.parametrize(
    ("wanted", "tags", "expected"),
    [
        (None, ("app",), ["app:latest"]),
        ("b", ("app",), ["b:latest", "app:latest"]),
        ("b:1", (), ["b:1"]),
        ("", ("app:2", "other"), ["app-builder:2", "app:2", "other:latest"]),
        ("", ("example.com/x/app",), ["example.com/x/app-builder:latest", "example.com/x/app:latest"]),
    ],
)
def test_builder_names(bench: Bench, wanted: str | None, tags: tuple[str, ...], expected: list[str]) -> None:
    engine = FakeEngine(EMITTED)
    bench.chain(engine, tags=names(*tags), builder_tag=wanted).build()
    assert engine.named == expected


def test_a_builder_name_out_of_nothing_is_refused_before_anything_is_built(bench: Bench) -> None:
    engine = FakeEngine(EMITTED)
    with pytest.raises(UsageError, match="there is none"):
        bench.chain(engine, builder_tag="").build()
    assert engine.calls == []


@pytest.mark.parametrize(
    ("unused", "warned"),
    [
        ({0: {"A", "B"}, 1: {"B", "C"}}, ["B"]),
        ({0: {"A"}, 1: set()}, []),
        ({0: {"A", "B"}, 1: {"A", "B"}}, ["A, B"]),
    ],
)
def test_unused_build_arguments(bench: Bench, unused: dict[int, set[str]], warned: list[str]) -> None:
    engine = FakeEngine(EMITTED)
    engine.unused = {level: frozenset(found) for level, found in unused.items()}
    bench.chain(engine).build()
    assert [text.rpartition("argument ")[2].rstrip(".") for text in bench.notes("warning")] == warned


@pytest.mark.parametrize("place", ["build 0", "emit", "build 1", "publish", "export", "name"])
def test_nothing_is_named_when_something_fails(bench: Bench, place: str) -> None:
    engine = FakeEngine(EMITTED)
    engine.fails[place] = BuilderError("It failed.") if place == "emit" else TransportError("It failed.")
    with pytest.raises(DockerceptionError, match=r"It failed\."):
        bench.chain(engine, tags=names("app"), builder_tag="b", outputs=(Output(type="oci", destination="x"),)).build()
    assert engine.named == []


def test_outputs_carry_the_names(bench: Bench) -> None:
    engine = FakeEngine(EMITTED)
    outputs = (Output(type="docker", destination="x"), Output(type="oci", destination="y"))
    bench.chain(engine, tags=names("app"), outputs=outputs).build()
    assert [call for call in engine.calls if call.startswith("export")] == [
        "export docker app:latest",
        "export oci app:latest",
    ]


def test_the_same_builder_does_not_run_twice(bench: Bench) -> None:
    first, second = FakeEngine(EMITTED), FakeEngine(b"other")
    bench.chain(first).build()
    bench.events.clear()
    bench.chain(second).build()
    assert "emit" not in second.calls
    assert second.seen(1) == first.seen(1)
    assert [event.cached for event in bench.events if isinstance(event, StepFinished)] == [True]


@pytest.mark.parametrize(
    "options",
    [
        {"no_cache": True},
        {"no_cache_filter": frozenset({"emit"})},
        {"command": ("other",)},
        {"network": "none"},
        {"platforms": (Platform("linux", "arm64"),)},
    ],
)
def test_when_a_builder_runs_again(bench: Bench, options: dict[str, Any]) -> None:
    bench.chain(FakeEngine(EMITTED)).build()
    second = FakeEngine(EMITTED)
    bench.chain(second, **options).build()
    assert "emit" in second.calls


def test_another_builder_runs(bench: Bench) -> None:
    bench.chain(FakeEngine(EMITTED)).build()
    (bench.source / "Dockerfile").write_text("FROM scratch\nCMD other")
    second = FakeEngine(EMITTED)
    bench.chain(second).build()
    assert "emit" in second.calls


def test_what_a_builder_is_run_with(bench: Bench) -> None:
    engine = FakeEngine(EMITTED)
    bench.chain(engine, command=("a", "b"), network="none", emit_timeout=7.0).build()
    request, emission = engine.emissions[0]
    assert (request.command, request.network, request.timeout) == (("a", "b"), "none", 7.0)
    assert emission.is_closed


def test_a_failed_builder_is_not_remembered(bench: Bench) -> None:
    engine = FakeEngine(EMITTED)
    engine.fails["emit"] = BuilderError("exit code 1")
    with pytest.raises(BuilderError):
        bench.chain(engine).build()
    assert engine.emissions[0][1].is_closed
    second = FakeEngine(EMITTED)
    bench.chain(second).build()
    assert "emit" in second.calls


def test_a_builder_that_fails_is_why_its_stream_is_broken(bench: Bench) -> None:
    engine = FakeEngine(EMITTED[:700])
    engine.fails["emit"] = BuilderError("The builder failed.", details="its last words")
    with pytest.raises(BuilderError, match=r"The builder failed\.") as caught:
        bench.chain(engine).build()
    assert "its last words" in caught.value.details
    assert "is truncated" in caught.value.details


@pytest.mark.parametrize("ending", [None, EmitTimeoutError("silent"), BuilderError("killed")])
def test_a_builder_that_talks_on_is_not_waited_for(bench: Bench, ending: DockerceptionError | None) -> None:
    engine = FakeEngine(b"Listening on port 80\n" * 100)
    engine.hangs = True
    if ending is not None:
        engine.fails["emit"] = ending
    with pytest.raises(StreamError, match="is not a tar archive"):
        bench.chain(engine).build()
    assert engine.emissions[0][1].is_closed


def test_a_broken_stream_leaves_no_spool(bench: Bench) -> None:
    with pytest.raises(StreamError):
        bench.chain(FakeEngine(EMITTED[:700])).build()
    assert [name for name in os.listdir(bench.store.scratch) if name.endswith(".spool")] == []


def test_a_context_that_is_too_large(bench: Bench) -> None:
    with pytest.raises(StreamError, match="more than 3 bytes") as caught:
        bench.chain(FakeEngine(EMITTED), max_context=3).build()
    assert "--max-context" in caught.value.hint


def test_a_context_of_too_many_files(bench: Bench) -> None:
    with pytest.raises(StreamError, match="more than 1 entries") as caught:
        bench.chain(FakeEngine(EMITTED), max_entries=1).build()
    assert "--max-entries" in caught.value.hint
    bench.chain(FakeEngine(EMITTED), max_entries=0).build()


def test_another_dockerfile_of_the_context(bench: Bench) -> None:
    engine = FakeEngine(tar_of({"sub/Dockerfile.run": RUNTIME, "app": b""}))
    bench.chain(engine, runtime_file="sub/Dockerfile.run").build()
    assert engine.seen(1)[0] == RUNTIME.decode()


def test_a_dockerfile_from_outside(bench: Bench, tmp_path: Path) -> None:
    outside = tmp_path / "Dockerfile.host"
    outside.write_text("FROM scratch\nCOPY . /")
    engine = FakeEngine(tar_of({"app": b"", "skip": b"", ".dockerignore": b"skip\n"}))
    bench.chain(engine, runtime_dockerfile=os.fspath(outside)).build()
    assert engine.seen(1) == ("FROM scratch\nCOPY . /", [".dockerignore", "app"])
    with pytest.raises(DockerfileError, match="can't be read"):
        bench.chain(engine, runtime_dockerfile=os.fspath(tmp_path / "absent")).build()


def test_a_single_directory_is_the_root(bench: Bench) -> None:
    engine = FakeEngine(tar_of({"project/Dockerfile": RUNTIME, "project/app": b""}))
    bench.chain(engine).build()
    assert engine.seen(1)[1] == ["Dockerfile", "app"]
    assert "“project”" in bench.notes()[0]


def test_ignore_files_of_streams(bench: Bench) -> None:
    files = {"Dockerfile": RUNTIME, "app": b"", "x.log": b"", "y.log": b"", ".dockerignore": b"*.log\nDockerfile\n"}
    engine = FakeEngine(tar_of(files))
    bench.chain(engine).build()
    assert engine.seen(1) == (RUNTIME.decode(), [".dockerignore", "app"])
    assert bench.notes() == [".dockerignore left 3 entries out of the context that the builder emitted."]


def test_an_ignore_file_beside_its_dockerfile_counts_more(bench: Bench) -> None:
    files = {"Dockerfile": RUNTIME, "app": b"", "Dockerfile.dockerignore": b"app", ".dockerignore": b"*"}
    engine = FakeEngine(tar_of(files))
    bench.chain(engine).build()
    assert engine.seen(1)[1] == [".dockerignore", "Dockerfile", "Dockerfile.dockerignore"]


def test_no_dockerfile_in_the_context(bench: Bench) -> None:
    engine = FakeEngine(tar_of({"one": b"", "two/x": b""}))
    with pytest.raises(ContextError, match=r"has no Dockerfile at its top; there is: one, two/") as caught:
        bench.chain(engine, tags=names("app")).build()
    assert "--runtime-dockerfile" in caught.value.hint
    assert engine.named == []


def test_a_wrong_dockerfile_in_the_context(bench: Bench) -> None:
    with pytest.raises(DockerfileError, match="FRM") as caught:
        bench.chain(FakeEngine(tar_of({"Dockerfile": b"FRM scratch"}))).build()
    assert "the context that the builder emitted" in caught.value.details


def test_a_context_from_standard_input(bench: Bench) -> None:
    engine = FakeEngine()
    bench.chain(engine, source="-", read_stdin=io.BytesIO(EMITTED).read).assemble()
    assert engine.seen(0) == (RUNTIME.decode(), ["Dockerfile", "app"])


def test_a_dockerfile_from_standard_input(bench: Bench) -> None:
    engine = FakeEngine()
    bench.chain(engine, source="", dockerfile="-", read_stdin=io.BytesIO(RUNTIME).read).assemble()
    assert engine.seen(0) == (RUNTIME.decode(), [])
    (bench.source / "data").write_text("x")
    bench.chain(engine, dockerfile="-", read_stdin=io.BytesIO(RUNTIME).read).assemble()
    assert engine.seen(1) == (RUNTIME.decode(), ["Dockerfile", "data"])


def test_another_dockerfile_and_its_ignore_file(bench: Bench, tmp_path: Path) -> None:
    for name, text in {"x": "", "y": "", ".dockerignore": "x"}.items():
        (bench.source / name).write_text(text)
    outside = tmp_path / "Other"
    outside.write_text("FROM scratch")
    engine = FakeEngine()
    bench.chain(engine, dockerfile=os.fspath(outside)).assemble()
    assert engine.seen(0)[1] == [".dockerignore", "Dockerfile", "y"]
    (tmp_path / "Other.dockerignore").write_text("y")
    bench.chain(engine, dockerfile=os.fspath(outside)).assemble()
    assert engine.seen(1)[1] == [".dockerignore", "Dockerfile", "x"]


@pytest.mark.parametrize(
    ("options", "kind", "message"),
    [
        ({"source": "-", "dockerfile": "-"}, UsageError, "can't be both"),
        ({"source": "-"}, UsageError, "no standard input"),
        ({"dockerfile": "-"}, UsageError, "no standard input"),
        ({"dockerfile": "absent"}, DockerfileError, "The Dockerfile absent can't be read: No such file"),
        ({"source": "/absent"}, ContextError, "does not exist"),
        ({"source": "/etc/passwd"}, ContextError, "is a file"),
        ({"source": "/proc/self"}, DockerfileError, "There is no Dockerfile in /proc/self"),
        (
            {"source": "", "dockerfile": "-", "read_stdin": lambda size: b"#" * size},
            DockerfileError,
            "larger than 16 MiB",
        ),
        ({"source": "-", "read_stdin": io.BytesIO(b"").read}, StreamError, "is empty"),
        ({"source": "-", "read_stdin": io.BytesIO(RUNTIME).read}, StreamError, "is a Dockerfile"),
    ],
)
def test_sources_that_are_none(
    bench: Bench, options: dict[str, Any], kind: type[DockerceptionError], message: str
) -> None:
    engine = FakeEngine()
    with pytest.raises(kind, match=message):
        bench.chain(engine, **options).assemble()
    assert engine.calls == []


NESTED = """FROM scratch AS one
ENV D=out
ARG SUB
BUILD /out/$SUB
FROM scratch AS two
COPY app /
"""


def write(bench: Bench, text: str) -> None:
    (bench.source / "Dockerfile").write_text(text)


def test_a_directory_is_the_context_of_the_instructions_behind_it(bench: Bench) -> None:
    write(bench, NESTED)
    engine = FakeEngine()
    engine.directories["/out/x"] = tar_of({"app": b"program", "no": b"", ".dockerignore": b"no"})
    outcome = bench.chain(engine, tags=names("app"), build_args={"SUB": "x"}, builder_tag="b").build()
    assert engine.calls[:3] == ["build 0", "directory /out/x", "build 1"]
    assert engine.seen(0)[0].splitlines() == ["FROM scratch AS one", "ENV D=out", "ARG SUB"]
    assert engine.seen(1) == ("FROM scratch AS two\nCOPY app /", [".dockerignore", "app"])
    assert [builder.image for builder in outcome.builders] == ["sha256:0"]
    assert engine.named == ["b:latest", "app:latest"]


def test_assemble_follows_what_is_written_and_appends_nothing(bench: Bench) -> None:
    write(bench, "FROM scratch\nBUILD -\n")
    engine = FakeEngine(EMITTED)
    bench.chain(engine).assemble()
    assert engine.calls[:3] == ["build 0", "emit", "build 1"]


@pytest.mark.parametrize("written", ["", "\nBUILD -\n"])
def test_an_ordinary_file_is_that_file_with_build_appended(bench: Bench, written: str) -> None:
    write(bench, f'FROM scratch\nCMD ["tar"]{written}')
    engine = FakeEngine(EMITTED)
    bench.chain(engine, tags=names("app")).build()
    assert engine.calls == ["build 0", "emit", "build 1", "publish", "name"]
    assert [engine.seen(0)[0], engine.seen(1)[0]] == ['FROM scratch\nCMD ["tar"]', RUNTIME.decode()]


def test_an_emitted_file_ends_the_chain_unless_it_builds(bench: Bench) -> None:
    dynamic = b"FROM scratch\nBUILD /x other\n"
    engine = FakeEngine(tar_of({"Dockerfile": dynamic}))
    engine.directories["/x"] = tar_of({"other": b"FROM scratch AS last\n"})
    outcome = bench.chain(engine, command=("make",), tags=names("app"), builder_tag="").build()
    assert engine.calls[:5] == ["build 0", "emit", "build 1", "directory /x", "build 2"]
    assert engine.seen(2)[0] == "FROM scratch AS last"
    assert engine.named == ["app-builder:latest", "app-builder:latest-1", "app:latest"]
    assert [builder.level for builder in outcome.builders] == [0, 1]


def test_only_the_builder_that_nobody_wrote_gets_the_command(bench: Bench) -> None:
    engine = FakeEngine(tar_of({"Dockerfile": b"FROM scratch\nBUILD -\nFROM scratch\n"}))
    bench.chain(engine, command=("make",)).build()
    assert [request.command for request, _ in engine.emissions] == [("make",), ()]


def test_a_target_behind_a_build_ends_the_chain_there(bench: Bench) -> None:
    write(bench, "FROM scratch AS a\nBUILD /o\nFROM scratch AS b\nFROM scratch AS c\nBUILD /p\nFROM scratch AS d\n")
    engine = FakeEngine()
    engine.directories["/o"] = tar_of({"f": b""})
    bench.chain(engine, target="B").build()
    assert engine.calls[:3] == ["build 0", "directory /o", "build 1"]
    assert [level.target for level in engine.levels] == ["", "B"]
    assert [level.will_emit for level in engine.levels] == [True, False]


def test_stages_and_levels_are_named_across_levels(bench: Bench) -> None:
    write(
        bench,
        "FROM scratch AS tools\nFROM scratch AS one\nBUILD /o\n"
        "FROM level:0 AS two\nCOPY --from=tools /t /\nCOPY --from=two /x /\nCOPY --from=given /g /\n",
    )
    engine = FakeEngine()
    engine.directories["/o"] = tar_of({"f": b""})
    bench.chain(engine, build_contexts={"given": "/elsewhere"}).build()
    assert engine.calls[:6] == ["build 0", "directory /o", "publish", "build 0", "publish", "build 1"]
    assert engine.levels[1].target == "tools"
    assert engine.levels[2].settings.build_contexts == {
        "given": "/elsewhere",
        "level:0": "docker-image://sha256:0",
        "tools": "docker-image://sha256:0",
    }


def test_what_is_for_all_levels_reaches_each_of_them_as_it_was_asked(bench: Bench) -> None:
    """Those that are written, and one that is emitted."""
    write(bench, "FROM scratch\nBUILD /o\nFROM scratch\nBUILD -\n")
    engine = FakeEngine(EMITTED)
    engine.directories["/o"] = tar_of({"f": b""})
    options: dict[str, Any] = {
        "build_args": {"A": "1"},
        "build_contexts": {"c": "/c"},
        "secrets": (Secret(id="s", file="/s"),),
        "ssh": (SshAgent(id="default"),),
        "network": "none",
        "no_cache": True,
        "pull": True,
    }
    bench.chain(engine, platforms=(Platform("linux", "arm64"),), **options).build()
    assert [level.index for level in engine.levels] == [0, 1, 2]
    for level in engine.levels:
        assert level.settings.platform == Platform("linux", "arm64")
        assert {name: getattr(level.settings, name) for name in options} == options


@pytest.mark.parametrize(
    ("names", "anew"),
    [
        (set(), 0),
        ({"level:0"}, 1),
        ({"LEVEL:0"}, 1),
        ({"two"}, 1),
        ({"0"}, 1),
        ({"level:1"}, 0),
        ({"last"}, 0),
        ({"emit"}, 1),
    ],
)
def test_a_builder_that_is_made_anew_on_request_runs_again(bench: Bench, names: set[str], anew: int) -> None:
    """Its key is what it was, but what it is made of may have come out otherwise."""
    write(bench, "FROM scratch\nFROM scratch AS Two\nBUILD -\nFROM scratch AS last\n")
    bench.chain(FakeEngine(EMITTED)).build()
    second = FakeEngine(EMITTED)
    bench.chain(second, no_cache_filter=frozenset(names)).build()
    assert second.calls.count("emit") == anew


LOOP = tar_of({"Dockerfile": b"FROM scratch\nBUILD -\n"})


@pytest.mark.parametrize(
    ("text", "options", "kind", "message"),
    [
        (NESTED, {"command": ("x",)}, UsageError, "this Dockerfile has a BUILD"),
        (NESTED, {"runtime_file": "x", "build_args": {"SUB": "x"}}, UsageError, "here its BUILD says that"),
        ("FROM scratch\nBUILD /\n", {}, DockerfileError, "Dockerfile:2: BUILD can't take / as a context"),
        ("FROM scratch\nBUILD ../proc/x\n", {}, DockerfileError, "BUILD can't take /proc/x"),
        ("FROM scratch\nBUILD /sys\n", {}, DockerfileError, "BUILD can't take /sys"),
        ("FROM scratch\nBUILD /dev/\n", {}, DockerfileError, "BUILD can't take /dev"),
        ("FROM scratch\nBUILD /o\n", {}, ContextError, "The directory /o .* has no Dockerfile .* there is: app, d/"),
        ("FROM scratch\nBUILD /o named\n", {}, ContextError, "has no named at its top"),
        ("FROM scratch\nBUILD -\n", {}, DockerfileError, "circle: level 2 .* of level 1"),
        ("FROM scratch\nBUILD -\n", {"max_depth": 2}, DockerfileError, "more than 2 levels"),
        ("FROM scratch\nCOPY --from=level:0 /a /\n", {}, DockerfileError, "no level:0 before this level"),
    ],
)
def test_what_can_not_be_nested(
    bench: Bench, text: str, options: dict[str, Any], kind: type[DockerceptionError], message: str
) -> None:
    write(bench, text)
    engine = FakeEngine(LOOP)
    engine.directories = {"/o": tar_of({"app": b"", "d/e": b""}), "/out/x": tar_of({"app": b""})}
    with pytest.raises(kind, match=message) as caught:
        bench.chain(engine, **options).build()
    assert ">>> " in caught.value.details or kind is UsageError
    assert caught.value.hint
    assert engine.named == []


def test_the_context_of_a_nested_file_is_the_first_one(bench: Bench) -> None:
    write(bench, "FROM scratch\nBUILD /o\nFROM scratch\n")
    engine = FakeEngine()
    engine.directories["/o"] = tar_of({"f": b"", "g": b""})
    emitted = bench.chain(engine).emit()
    assert [entry.path for entry in emitted.context.walk("")] == ["f", "g"]
    assert engine.calls == ["build 0", "directory /o"]
