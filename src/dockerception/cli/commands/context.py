"""``dockerception context``."""

from __future__ import annotations

import os

import click
from click import Context as ClickContext

from ...engines.base import Output
from ...errors import DockerceptionError, UsageError
from ...progress import Notice
from ..build_command import BuildCommand, check_builder_tag, check_source, collect, failed, make_request, open_progress
from ..click_types import Value, option
from ..files import check_writable, stdout_or_file, terminal_error
from ..options import BUILDING, EMITTING, SHOWING, SOURCE, Options, options
from ..output import is_terminal
from ..values import output

_OUTPUT = option(
    "-o",
    "--output",
    metavar="DIR | type=…,dest=…",
    multiple=True,
    type=Value("output", output),
    help="Where to: a new or empty directory, or type=tar,dest=FILE.  [default: a tar on stdout]",
)
_QUIET = option("-q", "--quiet", is_flag=True, is_common=True, help="Show no progress.")


class ContextCommand(BuildCommand):
    """A build that ends with the context: its outputs are files, not images."""

    def check(self, ctx: ClickContext) -> None:
        """As for a build, but for the one output."""
        collect(ctx, check_source, check_builder_tag, _check_target)


@click.command("context", cls=ContextCommand, epilog="What follows -- replaces the builder's CMD.")
@options(SOURCE, (_OUTPUT,), EMITTING, BUILDING, (_QUIET,), SHOWING)
def command(options: Options) -> int:
    """Build a builder and write out the context that it emits.

    \b
    Examples:
      dockerception context . | docker build -t app -
      dockerception context -o out .
      dockerception context -o type=tar,dest=context.tar . -- make dist
    """
    from ... import api

    target = _target(options)
    request = make_request(options)
    with open_progress(options) as progress:
        try:
            with api.context(request, progress) as emitted:
                if target.type == "local":
                    for note in emitted.write_directory(target.destination):
                        progress(Notice(text=note))
                else:
                    with stdout_or_file(target.destination) as write:
                        emitted.write_tar(write)
        except DockerceptionError as error:
            return failed(progress, error)
    return 0


def _check_target(options: Options) -> None:
    target = _target(options)
    if target.destination == "-" and is_terminal():
        raise terminal_error()
    if target.type == "tar" and target.destination != "-":
        check_writable(target.destination, "--output")
    if target.type == "local" and os.path.isdir(target.destination) and os.listdir(target.destination):
        raise UsageError(f"The directory {target.destination} is not empty.", hint="give a new or an empty one")


def _target(options: Options) -> Output:
    targets = options.output or (Output(type="tar", destination="-"),)
    if len(targets) > 1:
        raise UsageError("A context has one output.", hint="write it out once and copy it")
    if targets[0].type not in ("tar", "local"):
        raise UsageError(
            f"A context is not an image: type={targets[0].type} is none of its outputs.", hint="they are tar and local"
        )
    return targets[0]
