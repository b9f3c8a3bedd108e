"""``dockerception tag``."""

from __future__ import annotations

import click

from ..click_types import Command
from ..stores import complete_image, open_store, store_option


@click.command("tag", cls=Command)
@click.argument("image", shell_complete=complete_image)
@click.argument("name")
@store_option
def command(image: str, name: str, store: str) -> None:
    """Give an image one more name.

    An image that had the name loses it.

    \b
    Examples:
      dockerception tag app registry.example.com/team/app:1.2
      dockerception tag 5f3e9a app
    """
    from ...library.images import tag

    with open_store(store) as opened:
        tag(opened, image, name)
