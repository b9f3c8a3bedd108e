"""``dockerception assemble``."""

from __future__ import annotations

import click

from ..build_command import BuildCommand, produce
from ..options import BUILDING, RESULT, SHOWING, SOURCE, Options, options


@click.command("assemble", cls=BuildCommand)
@options(SOURCE[:1], RESULT[:1], SOURCE[1:], RESULT[1:], BUILDING, SHOWING)
def command(options: Options) -> int:
    """Build one image from a context, as “docker build” does.

    \b
    Examples:
      docker run builder | dockerception assemble -t app -
      dockerception assemble -t app .
      dockerception assemble -t tools -f - < Dockerfile
    """
    from ... import api

    return produce(options, api.assemble)
