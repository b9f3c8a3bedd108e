"""``dockerception assemble``."""

from __future__ import annotations

import click
from click import Context as ClickContext

from ..build_command import BuildCommand, produce
from ..call_options import CALLING
from ..click_types import mistake
from ..options import BUILDING, RESULT, SHOWING, SOURCE, Options, options


class AssembleCommand(BuildCommand):
    """A build of one image: nothing is run as a builder."""

    def check(self, ctx: ClickContext) -> None:
        """As for a build; and a command would be nobody's."""
        super().check(ctx)
        if ctx.params["command"]:
            mistake(ctx, "What follows -- is for a builder, and assemble runs none.", "leave it out, or use build")


@click.command("assemble", cls=AssembleCommand)
@options(SOURCE[:1], RESULT[:1], SOURCE[1:], RESULT[1:], BUILDING, CALLING, SHOWING)
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
