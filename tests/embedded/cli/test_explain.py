"""``--explain`` as a user sees it: a builder whose step runs, the context that it emits, and the runtime image."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path

import pytest

from embedded.cli.conftest import Command
from support.tools import need

BUILDER = """FROM scratch
COPY busybox /bin/busybox
RUN ["/bin/busybox", "--install", "-s", "/bin"]
ENV FLAGS=1
ARG PASSWORD=none
RUN --mount=type=bind,source=src,target=/src mkdir /out && cp /src/* /out
COPY runtime /out/Dockerfile
CMD ["tar", "-c", "-C", "/out", "."]
"""
FIRST, COMPILE, EMIT, RUNTIME = "[stage-0 2/5]", "[stage-0 4/5]", "[emit]", "[stage-0 2/2]"
Said = Mapping[str, str]


@pytest.fixture
def sources(tmp_path: Path) -> Path:
    """A directory whose Dockerfile makes a builder."""
    (tmp_path / "src").mkdir()
    shutil.copy(need("busybox"), tmp_path / "busybox")
    (tmp_path / "Dockerfile").write_text(BUILDER)
    (tmp_path / "runtime").write_text("FROM scratch\nCOPY main.go /\n")
    (tmp_path / "src/main.go").write_text("1")
    (tmp_path / "src/other.go").write_text("1")
    return tmp_path


def explain(command: Command, sources: Path, *options: str, builder: tuple[str, ...] = ()) -> Said:
    """What a build says of its steps, by the beginning of their names."""
    done = command(
        "build", "--explain", "--progress=json", *options, str(sources), *(("--", *builder) if builder else ())
    )
    assert done.returncode == 0, done.stderr.decode()
    events = [json.loads(line) for line in done.stderr.splitlines()]
    names = {each["step"]: each["name"].partition("]")[0] + "]" for each in events if each["event"] == "step-started"}
    return {names[each["step"]]: each["text"] for each in events if each["event"] == "step-explained"}


def test_steps_that_run_and_builders(command: Command, sources: Path, environment: Mapping[str, str]) -> None:
    first = "there is no earlier build of it"
    assert explain(command, sources) == {FIRST: first, EMIT: first, RUNTIME: first}
    assert explain(command, sources) == {}

    (sources / "src/main.go").write_text("2")
    said = explain(command, sources)
    assert list(said) == [COMPILE, EMIT, RUNTIME]
    assert said[COMPILE].startswith("src/main.go changed (content sha256:")
    assert said[EMIT] == "its image changed"
    assert said[RUNTIME].startswith("main.go changed (content sha256:")

    (sources / "Dockerfile").write_text(BUILDER.replace("FLAGS=1", "FLAGS=2"))
    flags = "ENV FLAGS was “1”, is “2”"
    assert explain(command, sources) == {COMPILE: flags, EMIT: flags}
    password = ("--build-arg", "PASSWORD=wonderland")
    assert explain(command, sources, *password)[COMPILE] == "the build argument PASSWORD changed"
    said = explain(command, sources, *password, builder=("tar", "-cf", "-", "-C", "/out", "."))
    assert said == {EMIT: "its command after “--” was empty, is “tar -cf - -C /out .”"}
    for path in Path(environment["DOCKERCEPTION_HOME"]).glob("store.db*"):
        assert b"wonderland" not in path.read_bytes()

    (sources / "src/other.go").chmod(0o755)
    assert explain(command, sources)[COMPILE] == "src/other.go has mode 0755, had 0644"

    assert command("prune", "--all", "--force").returncode == 0
    pruned = "it was done before, but what came of it has been pruned"
    assert explain(command, sources) == {FIRST: pruned, EMIT: pruned, RUNTIME: pruned}
    assert explain(command, sources, "--no-cache-filter=emit") == {EMIT: "--no-cache or --no-cache-filter asks for it"}


def test_lines(command: Command, sources: Path) -> None:
    done = command("build", "--explain", "--no-cache", "--progress=plain", str(sources))
    assert done.stderr.decode().splitlines()[:2] == [
        "#1 [stage-0 2/5] COPY busybox /bin/busybox",
        "#1 not cached: --no-cache or --no-cache-filter asks for it",
    ]
