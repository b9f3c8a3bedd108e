"""What the engine buildx makes of text, without a builder: Dockerfiles, names of caches, a log, a description."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from dockerception.dockerfile import instructions as ins
from dockerception.dockerfile import stages
from dockerception.engines.buildx import builders, emit_script
from dockerception.engines.buildx.emit_progress import EmitProgress
from dockerception.engines.buildx.emit_stages import CONTEXT, EMIT, LEVEL, emit_dockerfile
from dockerception.engines.buildx.helpers import find_helper, is_static
from dockerception.engines.daemon.caches import of_level
from dockerception.engines.daemon.plain_progress import PlainProgress
from dockerception.engines.daemon.reporting import Progress
from dockerception.engines.emission import BuilderLog
from dockerception.errors import TransportError, UsageError
from dockerception.progress import Event, StepLog, StepStarted
from dockerception.reference import Platform

DOCKERFILE = b"""\
# syntax=docker/dockerfile:1
FROM golang AS tools
ONBUILD RUN make
FROM tools \\
  AS builder
ONBUILD COPY . \\
  /src
RUN go build
FROM scratch
COPY --from=builder /app /
"""


def emitted(target: str = "builder", helper: str = "") -> stages.Dockerfile:
    text = emit_dockerfile(DOCKERFILE, target, ("tar", "-c", "a b", "$x"), helper, hidden=frozenset({"ARG", "a-b"}))
    return stages.load(text)


def test_the_level_keeps_its_lines() -> None:
    lines = emitted().document.lines
    assert lines[:3] == tuple(DOCKERFILE.decode().split("\n")[:3])
    assert lines[3:8] == (f"FROM tools AS {LEVEL}", "", "", "", "RUN go build")


def test_the_last_stages_are_ours() -> None:
    made = emitted().stages
    assert [stage.name for stage in made][1:] == [LEVEL, "dockerception-helper", EMIT, CONTEXT]
    assert made[3].base.base == LEVEL


def test_only_the_emitting_stage_loses_its_triggers() -> None:
    kept = [stage.name for stage in emitted().stages if any(isinstance(one, ins.Onbuild) for one in stage.instructions)]
    assert kept == ["tools"]


def test_without_a_target_the_last_stage_emits() -> None:
    assert emitted("").stages[2].name == LEVEL


def test_the_command_is_given_word_by_word() -> None:
    run = next(one for one in emitted().stages[3].instructions if isinstance(one, ins.Run))
    assert isinstance(run.command, ins.Exec)
    assert run.command.argv[3:] == (emit_script.RUN, "dockerception", "ARG", "tar", "-c", "a b", "$x")


def test_the_helper_is_an_image_or_a_file() -> None:
    assert emitted(helper="busybox:musl").stages[2].base.base == "busybox:musl"
    file = emitted().stages[2]
    assert file.base.base == "scratch"
    assert [one.from_ for one in file.instructions if isinstance(one, ins.Copy)] == ["dockerception-files"]


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("type=registry,ref=host:5000/a/cache", "type=registry,ref=host:5000/a/cache:level-1"),
        ("type=registry,ref=host:5000/cache:main,mode=max", "type=registry,ref=host:5000/cache:main-level-1,mode=max"),
        ("type=local,dest=/tmp/cache", "type=local,dest=/tmp/cache-level-1"),
        ("type=local,src=./cache", "type=local,src=./cache-level-1"),
        ("type=gha,scope=ci", "type=gha,scope=ci-level-1"),
        ("me/cache", "me/cache:level-1"),
        ("type=inline", "type=inline"),
    ],
)
def test_each_level_has_a_cache_of_its_own(given: str, expected: str) -> None:
    assert of_level(given, 0) == given
    assert of_level(given, 1) == expected


def test_a_cache_that_a_digest_names_is_for_all_levels() -> None:
    given = f"type=registry,ref=a/b@sha256:{'0' * 64}"
    assert of_level(given, 2) == given


def test_what_the_script_tells_is_read() -> None:
    assert emit_script.bytes_told(b"dockerception: 1024 bytes\n") == 1024
    assert emit_script.bytes_told(b"dockerception: 1024 bytes, I say\n") is None
    line = "dockerception: not started: “tar” is not found in $PATH.\n".encode()
    assert emit_script.not_started(line) == "“tar” is not found in $PATH."
    assert emit_script.not_started(b"not started\n") == ""


def progress_of(text: str) -> tuple[EmitProgress, BuilderLog, list[Event], PlainProgress]:
    """What becomes of the lines of a solve."""
    events: list[Event] = []
    numbers = iter(range(1, 100))
    log = BuilderLog(events.append, 0)
    level = Progress(events.append, lambda: next(numbers), level=0, names={"stage-0": LEVEL})
    progress = EmitProgress(level, log, events.append, 0)
    lines = PlainProgress(progress)
    for line in text.splitlines(keepends=True):
        lines.take(line.encode())
    return progress, log, events, lines


RUNNING = f"""\
#5 [{LEVEL} 1/2] RUN make
#5 0.100 cc main.c
#5 DONE 0.2s

#6 [dockerception-helper 1/1] RUN ["/bin/busybox"]
#6 DONE 0.1s

#7 [{EMIT} 2/2] RUN --mount=type=bind ["/.dockerception/busybox"]
#7 0.100 packing
#7 1.100 dockerception: 2048 bytes
"""


def test_the_builders_log_is_the_emitting_steps() -> None:
    progress, log, events, _ = progress_of(RUNNING)
    assert [event.name for event in events if isinstance(event, StepStarted)] == ["[stage-0 1/2] RUN make"]
    logs = [(event.step, event.data) for event in events if isinstance(event, StepLog)]
    assert logs == [(1, b"cc main.c\n"), (0, b"packing\n")]
    assert (progress.is_running, log.told_bytes) == (True, 2048)


def test_only_a_builders_own_end_is_its_failure() -> None:
    failed = progress_of(f'{RUNNING}#7 ERROR: process "x" did not complete successfully: exit code: 3\n')[0]
    assert (failed.is_running, failed.has_failed) == (False, True)
    cancelled = progress_of(f"{RUNNING}#7 CANCELED\n")[0]
    assert cancelled.has_failed is False


def test_a_clipped_log_is_no_silence() -> None:
    assert progress_of(f"{RUNNING}#7 2.0 [output clipped, log limit 2MiB reached]\n")[0].is_running is False


INSPECTED = """\
Name:          cluster
Driver:        kubernetes
Last Activity: 2026-01-01 00:00:00 +0000 UTC

Nodes:
Name:             cluster0
Endpoint:         kubernetes:///cluster?deployment=&kubeconfig=
Status:           running
"""


def test_a_builder_is_read() -> None:
    builder = builders.parse(INSPECTED, "/bin/buildx")
    assert (builder.name, builder.driver, builder.is_docker) == ("cluster", "kubernetes", False)
    assert builder.build == ("/bin/buildx", "build", "--builder=cluster")


def test_a_builder_that_can_not_be_reached_says_why() -> None:
    with pytest.raises(TransportError, match="“cluster” can't be reached: connection refused"):
        builders.parse(f"{INSPECTED}Error: connection refused.\n", "/bin/buildx")


def test_the_helper_of_another_platform_is_an_image() -> None:
    other = Platform("linux", "s390x")
    assert find_helper("", other).image == "busybox:musl"
    assert find_helper("my/busybox", other).image == "my/busybox"


def test_a_script_is_no_static_program(tmp_path: Path) -> None:
    script = tmp_path / "busybox"
    script.write_text("#!/bin/sh\n" + "#" * 100)
    assert not is_static(str(script))
    with pytest.raises(UsageError, match="no static program"):
        find_helper(str(script), Platform.host())


def test_the_script_is_one_json_word() -> None:
    text = emit_dockerfile(DOCKERFILE, "builder", ("a",), "").decode()
    run = next(line for line in text.splitlines() if line.startswith("RUN --mount"))
    assert json.loads(run[run.index("[") :])[1:3] == ["sh", "-c"]
