"""The group of all commands.  It knows their names and what each is for, and imports the module of the one called."""

from __future__ import annotations

import importlib
from typing import Final

import click
from click import Context as ClickContext

from .click_types import PREFIX

PROGRAM: Final = "dockerception"
COMPLETE_VARIABLE: Final = "_DOCKERCEPTION_COMPLETE"

# In the order of a first day's work; the first line of each command's docstring says the same.
COMMANDS: Final = {
    "build": "Build a builder, run it, and build the small image from what it writes.",
    "context": "Build a builder and write out the context that it emits.",
    "assemble": "Build one image from a context, as “docker build” does.",
    "levels": "Show the levels that a Dockerfile builds, and what each reads.",
    "run": "Run a command in a container of an image.",
    "images": "List the images of the store.",
    "inspect": "Show all there is to know about images, as JSON.",
    "history": "Show how the layers of an image came to be.",
    "tag": "Give an image one more name.",
    "rm": "Remove images, or names of images.",
    "pull": "Bring images from registries into the store.",
    "push": "Push images of the store to their registries.",
    "login": "Log in to a registry.",
    "logout": "Log out from a registry.",
    "save": "Write images to an archive.",
    "load": "Read images from an archive.",
    "prune": "Give back the room of what nothing needs.",
    "df": "Show what takes room in the store.",
    "doctor": "Say what this machine can do, and what to install for the rest.",
    "completion": "Print the completion script of a shell.",
    "version": "Print the version.",
}

_HELP: Final = """Builds small container images: a builder image writes a build context, and from that stream the
runtime image is made.

\b
  dockerception build -t app .          the whole chain
  dockerception context .               the first half: the context, as a tar on stdout
  dockerception assemble -t app -       the second half: an image from a context
"""

_EPILOG: Final = """\b
Every option can also be set by a variable: DOCKERCEPTION_<COMMAND>_<OPTION>,
such as DOCKERCEPTION_BUILD_PROGRESS=plain; a repeatable one takes one value a line.
DOCKERCEPTION_HOME is the directory of the store.
"""


class LazyGroup(click.Group):
    """A group whose commands are found by name in ``COMMANDS`` and imported when they are called."""

    def list_commands(self, ctx: ClickContext) -> list[str]:
        """All names, in the order of the help."""
        return list(COMMANDS)

    def get_command(self, ctx: ClickContext, cmd_name: str) -> click.Command | None:
        """Import the command's module."""
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f"{__package__}.commands.{cmd_name}")
        command: click.Command = module.command
        return command

    def resolve_command(self, ctx: ClickContext, args: list[str]) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command, or say which name may have been meant."""
        if args[0] not in COMMANDS and not args[0].startswith("-") and not ctx.resilient_parsing:
            from difflib import get_close_matches

            close = get_close_matches(args[0], COMMANDS, n=1)
            raise click.UsageError(
                f"There is no command “{args[0]}”.{f' Did you mean “{close[0]}”?' if close else ''}", ctx
            )
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: ClickContext, formatter: click.HelpFormatter) -> None:
        """List the commands without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


def make_group() -> LazyGroup:
    """The root of the command line."""
    group = LazyGroup(
        name=PROGRAM,
        help=_HELP,
        epilog=_EPILOG,
        no_args_is_help=False,
        invoke_without_command=True,
        callback=_show_help,
        context_settings={
            "help_option_names": ["-h", "--help"],
            "auto_envvar_prefix": PREFIX,
            "max_content_width": 110,
        },
    )
    group.params.append(
        click.Option(
            ["--version"],
            is_flag=True,
            is_eager=True,
            expose_value=False,
            callback=_version,
            help="Print the version and exit.",
        )
    )
    return group


@click.pass_context
def _show_help(ctx: ClickContext) -> None:
    if ctx.invoked_subcommand is None:
        click.echo(ctx.get_help())


def _version(ctx: ClickContext, parameter: click.Parameter, value: bool) -> None:
    if value and not ctx.resilient_parsing:
        from .. import __version__

        click.echo(f"{PROGRAM} {__version__}")
        ctx.exit()
