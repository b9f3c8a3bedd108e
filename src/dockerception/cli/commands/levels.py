"""``dockerception levels``."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

import click

from .. import output
from ..click_types import Command, option

if TYPE_CHECKING:
    from ...library.levels import LevelPlan, Read


@click.command("levels", cls=Command)
@click.argument("file", metavar="FILE | -", type=click.Path(allow_dash=True))
@option("--format", type=click.Choice(["text", "json"]), default="text", help="json: one object a line.")
def command(file: str, format: str) -> None:
    """Show the levels that a Dockerfile builds, and what each reads.

    FILE is a Dockerfile, or a directory that has one.  IN and PUBLISH are shown as the stages that they stand for.
    Nothing is built: what a build argument changes, and a Dockerfile that is written on the way, are not known.

    \b
    Examples:
      dockerception levels Dockerfile
      dockerception levels --format json - < Dockerfile
    """
    from ...library import levels

    found = levels.plan(*_read(file))
    if format == "json":
        import msgspec

        output.text("\n".join(msgspec.json.encode(level).decode() for level in found))
    else:
        output.text("\n".join(line for level in found for line in _lines(level)))


def _lines(level: LevelPlan) -> list[str]:
    lines = [f"level {level.level}"]
    for stage in level.stages:
        platform = f"--platform={stage.platform} " if stage.platform else ""
        lines.append(f"  stage {stage.name}: FROM {platform}{_base(stage.base)}")
        lines += [f"    reads {_shown(each)}" for each in stage.reads]
    if level.emits:
        where = "what follows" if level.dockerfile == "follows" else f"{level.dockerfile} in that context"
        appended = ", which “build” appends" if level.is_appended else ""
        lines.append(f"  {level.emits}{appended}: the next Dockerfile is {where}")
    return lines


def _base(base: Read | None) -> str:
    if base is None:
        return "scratch"
    return base.name if base.kind == "outside" else _shown(base)


def _shown(read: Read) -> str:
    if read.kind == "context":
        return "the context"
    if read.kind == "stage":
        return f"{read.name} (stage)" if read.level is None else f"{read.name} (stage of level {read.level})"
    return f"{read.name} ({read.kind})"


def _read(file: str) -> tuple[bytes, str]:
    from ...chain import sources

    if file == "-":
        name = "Dockerfile on standard input"
        return sources.read_text(sys.stdin.buffer.read, name), name
    path = os.path.join(file, "Dockerfile") if os.path.isdir(file) else file
    return sources.read_file(path, hint="give a Dockerfile, a directory that has one, or - for stdin"), path
