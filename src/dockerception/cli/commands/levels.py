"""``dockerception levels``."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

import click

from ...errors import DockerfileError
from .. import output
from ..click_types import Command, option

if TYPE_CHECKING:
    from ...library.levels import LevelPlan


@click.command("levels", cls=Command)
@click.argument("file", metavar="FILE | -", type=click.Path(allow_dash=True))
@option("--format", type=click.Choice(["text", "json"]), default="text", help="json: one object a line.")
def command(file: str, format: str) -> None:
    """Show the levels that a Dockerfile builds, and what each reads.

    FILE is a Dockerfile, or a directory that has one.  IN and PUBLISH are shown as the stages that they stand for.

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
        lines.append(f"  stage {stage.name}: FROM {stage.base}")
        lines += [f"    reads {name if kind == 'context' else f'{name} ({kind})'}" for name, kind in stage.reads]
    if level.emits:
        where = "what follows" if level.dockerfile == "follows" else f"{level.dockerfile} in that context"
        lines.append(f"  {level.emits}: the next Dockerfile is {where}")
    return lines


def _read(file: str) -> tuple[bytes, str]:
    if file == "-":
        return sys.stdin.buffer.read(), "Dockerfile on standard input"
    path = os.path.join(file, "Dockerfile") if os.path.isdir(file) else file
    try:
        with open(path, "rb") as opened:
            return opened.read(), path
    except OSError as error:
        raise DockerfileError(
            f"The Dockerfile {path} can't be read: {error.strerror}.", hint="give a Dockerfile, or - for stdin"
        ) from error
