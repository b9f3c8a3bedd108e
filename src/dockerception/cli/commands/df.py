"""``dockerception df``."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

from ...sizes import UNLIMITED
from .. import formats, output
from ..click_types import Command, option
from ..stores import open_store, store_option

if TYPE_CHECKING:
    from ...library.space import Cap, Usage


@click.command("df", cls=Command)
@option("--format", type=click.Choice(["table", "json"]), default="table", help="json: one object a line.")
@store_option
def command(format: str, store: str) -> None:
    """Show what takes room in the store.

    The sizes are what the files take on the disk, and add up to the size of the store's directory.  What is reclaimable
    belongs to no named image and no running build; of that, the least recently used goes after a build that has
    brought something new, as far as the store is larger than --keep-storage.

    \b
    Example:
      dockerception df
    """
    from ...library.space import cap, usage

    with open_store(store) as opened:
        found, root = usage(opened), opened.root
        limit = cap(opened)
        excess = opened.pruner.holdings().excess(limit.limit)
    if format == "json":
        output.text("\n".join(json.dumps(_fields(each)) for each in found))
        return
    rows = [(each.kind, str(each.count), formats.size(each.size), formats.size(each.reclaimable)) for each in found]
    total = formats.size(sum(each.size for each in found)), formats.size(sum(each.reclaimable for each in found))
    output.text(f"{root}\n\n" + formats.table(("TYPE", "COUNT", "SIZE", "RECLAIMABLE"), [*rows, ("total", "", *total)]))
    output.text(f"\n{_of_cap(limit, excess)}")


def _fields(each: Usage) -> dict[str, str | int]:
    return {"Type": each.kind, "Count": each.count, "Bytes": each.size, "Reclaimable": each.reclaimable}


def _of_cap(limit: Cap, excess: int) -> str:
    """What the cap is, and what would go because of it."""
    if limit.limit == UNLIMITED:
        return f"There is no cap ({limit.origin})."
    goes = f"{formats.size(excess)} would go to keep it" if excess else "nothing would go to keep it"
    return f"The cap is {formats.size(limit.limit)} ({limit.origin}); {goes}."
