"""``dockerception prune``."""

from __future__ import annotations

import sys

import click

from ...errors import UsageError
from ...sizes import size
from .. import formats, output
from ..click_types import Command, Value, option
from ..stores import open_store, store_option
from ..values import duration

_ALL = "the build cache and all images without a name"
_UNNEEDED = "images without a name and unneeded cache"
_OLD = "what was used least recently of the build cache and of images without a name"


@click.command("prune", cls=Command)
@option("-a", "--all", "everything", is_flag=True, help="Delete the whole build cache too, with cache mounts.")
@option("--until", type=Value("DURATION", duration), default=0.0, help="Keep what was used in this time: 24h, 7d.")
@option(
    "--keep-storage",
    type=Value("SIZE", size),
    help="Delete only until the store has at most this, the least recently used first: 10g.",
)
@option("-f", "--force", is_flag=True, help="Don't ask.")
@store_option
def command(everything: bool, until: float, keep_storage: int | None, force: bool, store: str) -> None:
    """Give back the room of what nothing needs.

    Images without a name go, with their layers, and the build cache that led to no named image.  What a running build
    uses stays.

    \b
    Examples:
      dockerception prune
      dockerception prune --all --until 7d --force
      dockerception prune --keep-storage 10g --force
    """
    from ...library.space import make_room, prune

    if everything and keep_storage is not None:
        raise UsageError("--all and --keep-storage contradict each other.", hint="leave --all out")
    if not force and not _agrees(_ALL if everything else _UNNEEDED if keep_storage is None else _OLD):
        return
    with open_store(store) as opened:
        if keep_storage is None:
            pruned = prune(opened, everything=everything, older_than=until)
        else:
            pruned = make_room(opened, keep_storage, older_than=until)
    output.text(f"Removed {len(pruned.things)} things.\nTotal reclaimed space: {formats.size(pruned.bytes_freed)}")


def _agrees(what: str) -> bool:
    if not sys.stdin.isatty():
        raise UsageError("Nobody is here to be asked whether to delete.", hint="give --force")
    try:
        return click.confirm(f"This deletes {what}. Go on?", err=True)
    except click.Abort:
        return False
