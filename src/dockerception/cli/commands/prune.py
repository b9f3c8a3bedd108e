"""``dockerception prune``."""

from __future__ import annotations

import sys

import click

from ...errors import UsageError
from .. import formats, output
from ..click_types import Command, Value, option
from ..stores import open_store, store_option
from ..values import duration


@click.command("prune", cls=Command)
@option("-a", "--all", "everything", is_flag=True, help="Delete the whole build cache too, with cache mounts.")
@option("--until", type=Value("DURATION", duration), default=0.0, help="Keep what was used in this time: 24h, 7d.")
@option("-f", "--force", is_flag=True, help="Don't ask.")
@store_option
def command(everything: bool, until: float, force: bool, store: str) -> None:
    """Give back the room of what nothing needs.

    Images without a name go, with their layers, and the build cache that led to no named image.  What a running build
    uses stays.

    \b
    Examples:
      dockerception prune
      dockerception prune --all --until 7d --force
    """
    from ...library.space import prune

    if not force and not _agrees(everything):
        return
    with open_store(store) as opened:
        pruned = prune(opened, everything=everything, older_than=until)
    output.text(f"Removed {len(pruned.things)} things.\nTotal reclaimed space: {formats.size(pruned.bytes_freed)}")


def _agrees(everything: bool) -> bool:
    if not sys.stdin.isatty():
        raise UsageError("Nobody is here to be asked whether to delete.", hint="give --force")
    what = "the build cache and all images without a name" if everything else "images without a name and unneeded cache"
    try:
        return click.confirm(f"This deletes {what}. Go on?", err=True)
    except click.Abort:
        return False
