"""``dockerception images``."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING

import click

from .. import formats, output
from ..click_types import Command, option
from ..stores import complete_image, open_store, store_option

if TYPE_CHECKING:
    from ...library.images import Summary


@click.command("images", cls=Command)
@click.argument("names", nargs=-1, metavar="[NAME]...", shell_complete=complete_image)
@option("-q", "--quiet", is_flag=True, help="Print only the ids.")
@option("--no-trunc", is_flag=True, help="Print whole ids.")
@option("--format", type=click.Choice(["table", "json"]), default="table", help="json: one object a line.")
@store_option
def command(names: tuple[str, ...], quiet: bool, no_trunc: bool, format: str, store: str) -> None:
    """List the images of the store.

    NAME is repository[:tag]; * and ? stand for any characters.

    \b
    Examples:
      dockerception images
      dockerception images 'app*:1.?'
      dockerception images --format json
    """
    from ...library.images import list_images

    with open_store(store) as opened:
        summaries = list_images(opened, names)
    if quiet:
        ids = dict.fromkeys(summary.image if no_trunc else formats.short(summary.image) for summary in summaries)
        lines = list(ids)
    elif format == "json":
        lines = [json.dumps(row) for summary in summaries for row in _objects(summary)]
    else:
        lines = [_table(summaries, no_trunc=no_trunc)]
    if lines:
        output.text("\n".join(lines))


def _table(summaries: list[Summary], *, no_trunc: bool) -> str:
    says_platform = len({summary.platform for summary in summaries}) > 1
    rows = []
    for summary in summaries:
        image = summary.image if no_trunc else formats.short(summary.image)
        age, size = formats.age(summary.created, time.time()), formats.size(summary.size)
        for name in summary.names or ("",):
            rows.append((*_split(name), image, *([summary.platform] if says_platform else []), age, size))
    titles = ("REPOSITORY", "TAG", "IMAGE ID", *(["PLATFORM"] if says_platform else []), "CREATED", "SIZE")
    return formats.table(titles, rows)


def _objects(summary: Summary) -> list[dict[str, object]]:
    created = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(summary.created)) if summary.created else ""
    return [
        {
            "Repository": repository,
            "Tag": tag,
            "ID": summary.image,
            "CreatedAt": created,
            "CreatedSince": formats.age(summary.created, time.time()),
            "Size": formats.size(summary.size),
            "Bytes": summary.size,
            "Platform": summary.platform,
        }
        for repository, tag in (_split(name) for name in summary.names or ("",))
    ]


def _split(name: str) -> tuple[str, str]:
    from ...library.images import split_name

    return split_name(name)
