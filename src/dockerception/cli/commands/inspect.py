"""``dockerception inspect``."""

from __future__ import annotations

import json

import click

from ...reference import Platform
from .. import output
from ..click_types import Command
from ..stores import complete_image, open_store, store_option
from ..transfers import PLATFORM


@click.command("inspect", cls=Command)
@click.argument("images", nargs=-1, required=True, metavar="IMAGE...", shell_complete=complete_image)
@PLATFORM
@store_option
def command(images: tuple[str, ...], platform: Platform | None, store: str) -> None:
    """Show all there is to know about images, as JSON.

    The fields are those of “docker image inspect”.  IMAGE is a name, an id or the beginning of one.

    \b
    Example:
      dockerception inspect app | jq '.[0].Config.Env'
    """
    from ...library import images as library

    with open_store(store) as opened:
        found = [library.describe(opened, library.get(opened, image, platform)) for image in images]
    output.text(json.dumps(found, indent=4, ensure_ascii=False))
