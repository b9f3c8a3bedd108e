"""What builders say, as our events and errors."""

from __future__ import annotations

import itertools

import pytest

from dockerception.engines.daemon.classic import _Reading
from dockerception.engines.daemon.failures import build_failure
from dockerception.engines.daemon.plain_progress import PlainProgress
from dockerception.engines.daemon.reporting import Progress
from dockerception.errors import (
    ContextError,
    DiskFullError,
    DockerceptionError,
    DockerfileError,
    ImageNotFoundError,
    StepError,
    TransportError,
)
from dockerception.progress import Event, StepFinished, StepLog, StepStarted

PLAIN = b"""\
#0 building with "default" instance using docker driver

#1 [internal] load build definition from Dockerfile
#1 transferring dockerfile: 120B done
#1 DONE 0.0s

#2 [1/3] FROM priv/go:1
#2 CACHED

#3 [2/3] RUN make
#3 0.214 cc -c main.c
#3 ...

#4 [other 1/1] COPY a /a
#4 CACHED

#3 [2/3] RUN make
#3 1.500 done
#3 DONE 1.6s

#5 exporting to image
#5 exporting layers 0.1s done
#5 DONE 0.1s
"""

FAILED = b"""\
#3 [2/2] RUN exit 3
#3 0.1 why
#3 ERROR: process "/bin/sh -c exit 3" did not complete successfully: exit code: 3
------
 > [2/2] RUN exit 3:
0.1 why
------
Dockerfile:2
--------------------
   2 | >>> RUN exit 3
--------------------
ERROR: failed to solve: process "/bin/sh -c exit 3" did not complete successfully: exit code: 3
"""


def told(events: list[Event]) -> list[str]:
    """The events in short."""
    names = {event.step: event.name for event in events if isinstance(event, StepStarted)}
    lines = []
    for event in events:
        match event:
            case StepStarted(name=name):
                lines.append(f"begin {name}")
            case StepLog(step=step, data=data):
                lines.append(f"{names[step]}: {data.decode().strip()}")
            case StepFinished(step=step, cached=cached, error=error):
                lines.append(f"end {names[step]}{' cached' * cached}{' failed' * bool(error)}")
    return lines


def progress(events: list[Event], **names: str) -> Progress:
    return Progress(events.append, itertools.count(1).__next__, level=0, names=names)


def test_buildkits_lines_become_events() -> None:
    events: list[Event] = []
    ours = progress(events, golang="priv/go:1")
    reading = PlainProgress(ours)
    for line in PLAIN.splitlines(keepends=True):
        reading.take(line)
    assert told(events) == [
        "begin [1/3] FROM golang",
        "end [1/3] FROM golang cached",
        "begin [2/3] RUN make",
        "[2/3] RUN make: cc -c main.c",
        "begin [other 1/1] COPY a /a",
        "end [other 1/1] COPY a /a cached",
        "[2/3] RUN make: done",
        "end [2/3] RUN make",
        "begin exporting to image",
        "end exporting to image",
    ]
    assert ours.has_executed


def test_what_was_cached_was_not_executed() -> None:
    events: list[Event] = []
    ours = progress(events)
    reading = PlainProgress(ours)
    for line in (
        b"#1 [1/2] FROM a\n",
        b"#1 DONE 0.0s\n",
        b"#2 [2/2] RUN make\n",
        b"#2 CACHED\n",
        b"#3 exporting to image\n",
    ):
        reading.take(line)
    assert not ours.has_executed


def test_buildkits_failure_is_what_it_says_last() -> None:
    events: list[Event] = []
    ours = progress(events)
    reading = PlainProgress(ours)
    for line in FAILED.splitlines(keepends=True):
        reading.take(line)
    assert told(events) == ["begin [2/2] RUN exit 3", "[2/2] RUN exit 3: why", "end [2/2] RUN exit 3 failed"]
    error = build_failure("Docker", reading.failure, ours.output)
    assert isinstance(error, StepError)
    assert "exited with code 3" in error.message
    assert error.details == "why"


def test_the_classic_builders_messages_become_events() -> None:
    events: list[Event] = []
    ours = progress(events)
    reading = _Reading(ours)
    for text in (
        "Step 1/3 : FROM a",
        "\n",
        " ---> 036942189760\n",
        "Step 2/3 : RUN one",
        " ---> Using cache\n",
        "Step 3/3 : RUN two",
        " ---> Running in f5f32c71bfbf\n",
        "\x1b[91merr\n\x1b[0m",
    ):
        reading.take({"stream": text})
    reading.take({"aux": {"ID": "sha256:1"}})
    reading.take({"stream": "Successfully built 1\n"})
    ours.end_all()
    assert told(events) == [
        "begin [1/3] FROM a",
        "end [1/3] FROM a",
        "begin [2/3] RUN one",
        "end [2/3] RUN one cached",
        "begin [3/3] RUN two",
        "[3/3] RUN two: err",
        "end [3/3] RUN two",
    ]
    assert reading.image == "sha256:1"
    assert ours.has_executed


@pytest.mark.parametrize(
    ("words", "kind"),
    [
        ("The command '/bin/sh -c exit 3' returned a non-zero code: 3", StepError),
        ('building at STEP "RUN exit 3": while running runtime: exit status 3', StepError),
        ("executor failed running [/bin/sh -c false]: exit code: 1", StepError),
        ('failed to compute cache key: "/nosuch" not found: not found', ContextError),
        ("COPY failed: file not found in build context or excluded by .dockerignore: stat nosuch: …", ContextError),
        ('copier: stat: "/nosuch": no such file or directory', ContextError),
        ("pull access denied for nosuch, repository does not exist or may require 'docker login'", ImageNotFoundError),
        ("golang:9: failed to resolve source metadata for docker.io/library/golang:9: not found", ImageNotFoundError),
        ("write /layer.tar: no space left on device", DiskFullError),
        ("dockerfile parse error on line 3: unknown instruction: RUNN", DockerfileError),
        ("something else", TransportError),
    ],
)
def test_what_failed_is_told_by_the_words(words: str, kind: type[DockerceptionError]) -> None:
    assert type(build_failure("Docker", f"ERROR: failed to solve: {words}", "")) is kind
