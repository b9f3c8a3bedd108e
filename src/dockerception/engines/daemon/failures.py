"""Why a build in a daemon failed: its words, which every builder chooses differently, to our errors."""

from __future__ import annotations

import re
from typing import Final

from ...errors import (
    ContextError,
    DiskFullError,
    DockerceptionError,
    DockerfileError,
    ImageNotFoundError,
    StepError,
    TransportError,
    UnsupportedError,
)

_STEP: Final = re.compile(
    r"did not complete successfully: exit code: (?P<buildkit>\d+)"
    r"|executor failed running .*: exit code: (?P<old>\d+)"
    r"|returned a non-zero code: (?P<classic>\d+)"
    r"|exit status (?P<podman>\d+)",
    re.DOTALL,
)
_KINDS: Final[tuple[tuple[re.Pattern[str], type[DockerceptionError]], ...]] = (
    (re.compile(r"no space left on device|disk quota exceeded"), DiskFullError),
    (
        re.compile(
            r"pull access denied|repository does not exist|manifest unknown|manifest for .* not found"
            r"|failed to resolve source metadata|failed to load metadata|unable to find image|initializing source"
            r"|reading manifest|no such image|invalid reference format"
        ),
        ImageNotFoundError,
    ),
    (
        re.compile(
            r"failed to (?:compute|calculate) c(?:ache key|hecksum).*not found|file not found in build context"
            r"|COPY failed|ADD failed|no such file or directory|forbidden path outside|no items matching glob"
            r"|does not exist"
        ),
        ContextError,
    ),
    (re.compile(r"[Dd]ockerfile parse error|unknown instruction|failed to parse|[Uu]nknown flag"), DockerfileError),
)
_NOT_FOR_DRIVER: Final = "not supported for the docker driver"
_PREFIX: Final = re.compile(r"^(?:ERROR: |error: )*(?:failed to solve: )?(?:rpc error: code = \w+ desc = )?")


def build_failure(daemon: str, words: str, output: str) -> DockerceptionError:
    """The error for a build that ``daemon`` gave up with ``words``; ``output`` is the end of the failed step's."""
    reason = _PREFIX.sub("", words.strip()).rstrip(".")
    if _NOT_FOR_DRIVER in words:
        return UnsupportedError(
            f"{daemon} can't do that: {reason}.",
            hint="use a builder of another driver: docker buildx create --use, then --engine buildx",
        )
    step = _STEP.search(words)
    if step is not None:
        return _step_error(daemon, reason, int(step[step.lastgroup or 0]), output)
    kind = next((kind for pattern, kind in _KINDS if pattern.search(words)), TransportError)
    return kind(f"{daemon} could not build the image: {reason}.", details=output)


def _step_error(daemon: str, reason: str, code: int, output: str) -> StepError:
    hint = {
        127: "exit code 127 means that a command was not found; is it in the image, and in PATH?",
        126: "exit code 126 means that a command can't be executed; is its mode right, and its architecture?",
        137: "exit code 137 means SIGKILL; was the memory exhausted?",
    }.get(code, "")
    return StepError(f"A step of the build in {daemon} exited with code {code}: {reason}.", details=output, hint=hint)
