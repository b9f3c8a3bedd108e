"""``dockerception pull``."""

from __future__ import annotations

import click

from ...reference import Platform
from .. import output
from ..click_types import Command, option
from ..options import SHOWING, options
from ..stores import open_store, store_option
from ..transfers import PLATFORM, progress_of


@click.command("pull", cls=Command)
@click.argument("names", nargs=-1, required=True, metavar="NAME[:TAG|@DIGEST]...")
@PLATFORM
@option("-q", "--quiet", is_flag=True, help="Show no progress, and print the images' ids.")
@options(SHOWING)
@store_option
def command(names: tuple[str, ...], platform: Platform | None, quiet: bool, progress: str, store: str) -> None:
    """Bring images from registries into the store.

    What a Dockerfile needs comes by itself; this is for what should be here before, or anew.  Prints the digest that
    each name leads to.

    \b
    Examples:
      dockerception pull alpine
      dockerception pull --platform linux/arm64 ghcr.io/owner/app:1.2
    """
    from ...library import registries

    with open_store(store) as opened, progress_of(progress, store, quiet=quiet) as report:
        for name in names:
            pulled = registries.pull(opened, name, platform=platform, report=report)
            output.text(pulled.image.image if quiet else f"{name}@{pulled.digest}")
