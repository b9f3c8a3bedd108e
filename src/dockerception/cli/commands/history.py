"""``dockerception history``."""

from __future__ import annotations

import json
import time

import click

from ...reference import Platform
from .. import formats, output
from ..click_types import Command, option
from ..stores import complete_image, open_store, store_option
from ..transfers import PLATFORM

_WIDTH = 60


@click.command("history", cls=Command)
@click.argument("image", shell_complete=complete_image)
@option("--no-trunc", is_flag=True, help="Print whole commands.")
@option("--format", type=click.Choice(["table", "json"]), default="table", help="json: one object a line.")
@PLATFORM
@store_option
def command(image: str, no_trunc: bool, format: str, platform: Platform | None, store: str) -> None:
    """Show how the layers of an image came to be.

    The newest step comes first; steps that changed only the config have no size.

    \b
    Example:
      dockerception history --no-trunc app
    """
    from ...library import images as library
    from ...oci.config import parse_time

    with open_store(store) as opened:
        lines = library.history(opened, library.get(opened, image, platform))
    if format == "json":
        objects = [
            {
                "CreatedAt": line.created,
                "CreatedBy": line.created_by,
                "Size": line.size,
                "Comment": line.comment,
                "Layer": line.layer,
            }
            for line in lines
        ]
        if objects:
            output.text("\n".join(json.dumps(each) for each in objects))
        return
    rows = [
        (
            formats.age(parse_time(line.created), time.time()),
            _one_line(line.created_by) if no_trunc else formats.shortened(_one_line(line.created_by), _WIDTH),
            formats.size(line.size),
            line.comment,
        )
        for line in lines
    ]
    output.text(formats.table(("CREATED", "CREATED BY", "SIZE", "COMMENT"), rows))


def _one_line(text: str) -> str:
    return " ".join(text.split())
