"""``dockerception df``."""

from __future__ import annotations

import json

import click

from .. import formats, output
from ..click_types import Command, option
from ..stores import open_store, store_option


@click.command("df", cls=Command)
@option("--format", type=click.Choice(["table", "json"]), default="table", help="json: one object a line.")
@store_option
def command(format: str, store: str) -> None:
    """Show what takes room in the store.

    The sizes are what the files take on the disk, and add up to the size of the store's directory.

    \b
    Example:
      dockerception df
    """
    from ...library.space import usage

    with open_store(store) as opened:
        found, root = usage(opened), opened.root
    if format == "json":
        output.text(
            "\n".join(json.dumps({"Type": each.kind, "Count": each.count, "Bytes": each.size}) for each in found)
        )
        return
    rows = [(each.kind, str(each.count), formats.size(each.size)) for each in found]
    total = ("total", "", formats.size(sum(each.size for each in found)))
    output.text(f"{root}\n\n" + formats.table(("TYPE", "COUNT", "SIZE"), [*rows, total]))
