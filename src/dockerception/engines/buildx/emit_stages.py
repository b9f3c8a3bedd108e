"""The Dockerfile that runs a builder: the level's own stages, and three more that end with what it wrote to stdout.

    FROM busybox:musl AS dockerception-helper                     the shell, and empty files that anybody may write
    FROM <the level> AS dockerception-emit                        its ENTRYPOINT and CMD, stdout into a file
    FROM scratch AS dockerception-context                         that file, and one that proves the command's success

The level is a stage of the same solve, not an image: no builder has to keep or push one, and a cluster finds its steps
in its own cache.
"""

from __future__ import annotations

import json
import re
from typing import Final

import msgspec

from ...dockerfile import instructions as ins
from ...dockerfile import stages
from ...dockerfile.instructions import print_instruction
from ...dockerfile.rewriting import exact_lines
from ...dockerfile.stages import Dockerfile
from . import emit_script

LEVEL: Final = "dockerception-level"
HELPER: Final = "dockerception-helper"
EMIT: Final = "dockerception-emit"
CONTEXT: Final = "dockerception-context"
CONTENTS: Final = "/context"
"""Where the files of a directory are in an image that has nothing else."""
FILES: Final = "dockerception-files"
"""The named context that holds a helper's file."""

_VARIABLE: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_PROGRAM: Final = f"{emit_script.FOLDER}/busybox"


def emit_dockerfile(
    text: bytes,
    target: str,
    command: tuple[str, ...],
    helper: str,
    *,
    platform: str = "",
    hidden: frozenset[str] = frozenset(),
) -> bytes:
    """The Dockerfile whose last stage holds what ``command`` writes in an image of the stage ``target`` of ``text``.

    ``hidden`` are variables that the command must not see: BuildKit hands a stage's ARGs on to the next one.

    ``helper`` is an image with a static ``/bin/busybox``, of this ``platform`` (empty: of the build's); without one it
    is the file ``busybox`` of the named context ``FILES``.  The lines of ``text`` stay where they are, so that messages
    tell the right ones.
    """
    dockerfile = stages.load(text)
    stage = stages.find_stage(dockerfile, target) if target else dockerfile.stages[-1]
    lines = exact_lines(dockerfile.document)
    for instruction in stage.instructions:
        if isinstance(instruction, ins.Onbuild):  # a trigger would be pulled by our own FROM
            _replace(lines, instruction.location, "")
    base = msgspec.structs.replace(stage.base, name=LEVEL)
    _replace(lines, stage.base.location, print_instruction(base, escape=dockerfile.directives.escape).rstrip("\n"))
    kept = lines[: _end(dockerfile, stage.index)]
    lines = [*kept, "", *_helper(helper, platform), *_emission(command, hidden), ""]
    return "\n".join(lines).encode("utf-8", "surrogateescape")


def directory_dockerfile(dockerfile: Dockerfile, target: str, directory: str) -> Dockerfile:
    """The Dockerfile whose last stage has nothing but that directory of the image of the stage ``target``, at
    ``CONTENTS``."""
    stage = stages.find_stage(dockerfile, target) if target else dockerfile.stages[-1]
    lines = exact_lines(dockerfile.document)
    base = msgspec.structs.replace(stage.base, name=stage.name or LEVEL)
    _replace(lines, stage.base.location, print_instruction(base, escape=dockerfile.directives.escape).rstrip("\n"))
    # Without slashes at their ends: what is no directory becomes no directory either.
    copy = f"COPY --from={base.name} {json.dumps([directory, CONTENTS])}"
    text = "\n".join([*lines[: _end(dockerfile, stage.index)], f"FROM scratch AS {CONTEXT}", copy, ""])
    return stages.load(text.encode("utf-8", "surrogateescape"), name=dockerfile.document.name)


def _helper(image: str, platform: str) -> list[str]:
    prepare = json.dumps([emit_script.BUSYBOX, "sh", "-c", emit_script.PREPARE])
    if image:
        flag = f"--platform={platform} " if platform else ""
        return [f"FROM {flag}{image} AS {HELPER}", f"RUN {prepare}"]
    copy = f"COPY --from={FILES} --chmod=0755 busybox {emit_script.BUSYBOX}"
    return [f"FROM scratch AS {HELPER}", copy, f"RUN {prepare}"]


def _emission(command: tuple[str, ...], hidden: frozenset[str]) -> list[str]:
    unset = " ".join(sorted(name for name in hidden if _VARIABLE.fullmatch(name)))
    run = json.dumps([_PROGRAM, "sh", "-c", emit_script.RUN, "dockerception", unset, *command])
    mount = f"--mount=type=bind,from={HELPER},source={emit_script.BUSYBOX},target={_PROGRAM}"
    folder = emit_script.FOLDER
    return [
        f"FROM {LEVEL} AS {EMIT}",
        f"COPY --from={HELPER} /emit/ {folder}/",
        f"RUN {mount} {run}",
        f"FROM scratch AS {CONTEXT}",
        f"COPY --from={EMIT} {folder}/{emit_script.STDOUT} {folder}/{emit_script.CODE} /",
    ]


def _end(dockerfile: Dockerfile, index: int) -> int:
    """How many lines belong to the stages up to this one."""
    later = dockerfile.stages[index + 1 :]
    return later[0].base.location.start - 1 if later else len(dockerfile.document.lines)


def _replace(lines: list[str], location: ins.Lines, text: str) -> None:
    lines[location.start - 1 : location.end] = [text, *[""] * (location.end - location.start)]
