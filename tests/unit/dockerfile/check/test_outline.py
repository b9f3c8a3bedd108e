"""What a Dockerfile says that it offers: targets, and what one of them takes."""

from __future__ import annotations

import pytest

from dockerception.dockerfile import stages
from dockerception.dockerfile.outline import outline_of, targets_of
from dockerception.errors import DockerfileError

DOCKERFILE = b"""\
# BASE is what everything begins with
ARG BASE=busybox
ARG UNUSED=1
# tools are what compiles
FROM $BASE AS tools
ARG JOBS=2
RUN --mount=type=cache,target=/root/.cache --mount=type=secret,id=token make
# A comment that describes nothing
FROM scratch AS docs
ARG FORMAT=html
FROM --platform=$TARGETPLATFORM scratch
COPY --from=tools /app /
RUN --mount=type=secret,id=token,required=true --mount=type=ssh true
"""


def test_targets_are_the_stages_with_their_descriptions() -> None:
    found = targets_of(stages.load(DOCKERFILE))
    assert [(each.name, each.description, each.is_default, each.base) for each in found] == [
        ("tools", "are what compiles", False, "$BASE"),
        ("docs", "", False, "scratch"),
        ("2", "", True, "scratch"),
    ]


def test_an_outline_is_of_what_the_target_needs() -> None:
    found = outline_of(stages.load(DOCKERFILE), "", {"JOBS": "8"})
    arguments = [(each.name, each.value, each.description) for each in found.arguments]
    assert arguments == [("BASE", "busybox", "is what everything begins with"), ("JOBS", "8", "")]
    assert [(each.name, each.is_required) for each in found.secrets] == [("token", True)]
    assert [(each.name, each.is_required) for each in found.ssh] == [("default", False)]
    assert [each.name for each in found.caches] == ["/root/.cache"]
    docs = outline_of(stages.load(DOCKERFILE), "DOCS")
    assert [each.name for each in docs.arguments] == ["FORMAT"]
    assert (docs.name, docs.secrets) == ("docs", ())
    with pytest.raises(DockerfileError, match="has no stage “dosc”"):
        outline_of(stages.load(DOCKERFILE), "dosc")
