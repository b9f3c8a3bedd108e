"""``dockerception build``."""

from __future__ import annotations

import click

from ..build_command import BuildCommand, produce
from ..call_options import CALLING
from ..options import BUILDING, EMITTING, RESULT, RUNTIME_LEVEL, SHOWING, SOURCE, Options, options


@click.command("build", cls=BuildCommand, epilog="What follows -- replaces the builder's CMD.")
@options(SOURCE[:1], RESULT[:1], SOURCE[1:], RESULT[1:], EMITTING, RUNTIME_LEVEL, BUILDING, CALLING, SHOWING)
def command(options: Options) -> int:
    """Build a builder, run it, and build the small image from what it writes.

    The Dockerfile of PATH makes the builder.  Run, it writes a tar with another Dockerfile to stdout, and that is the
    context of the image.

    \b
    Examples:
      dockerception build -t app .
      dockerception build -t app --build-context golang=apt://?include=golang-go .
      dockerception build -o type=docker,dest=app.tar . -- make dist
      git archive HEAD | dockerception build -t app -
    """
    from ... import api

    return produce(options, api.build)
