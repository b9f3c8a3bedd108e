"""``dockerception push``."""

from __future__ import annotations

import click

from ...reference import Platform
from .. import output
from ..click_types import Command, option
from ..options import SHOWING, options
from ..stores import complete_image, open_store, store_option
from ..transfers import PLATFORM, progress_of


@click.command("push", cls=Command)
@click.argument("names", nargs=-1, required=True, metavar="NAME[:TAG]...", shell_complete=complete_image)
@PLATFORM
@option(
    "--compression",
    type=click.Choice(["gzip", "zstd", "uncompressed"]),
    help="How to compress layers that were made here.  [default: gzip]",
)
@option("--compression-level", metavar="LEVEL", default="", help="The compressor's level: gzip 0 to 9, zstd 1 to 22.")
@option("--force-compression", is_flag=True, help="Compress layers anew that came compressed otherwise.")
@option("-q", "--quiet", is_flag=True, help="Show no progress, and print the digests only.")
@options(SHOWING)
@store_option
def command(
    names: tuple[str, ...],
    platform: Platform | None,
    compression: str | None,
    compression_level: str,
    force_compression: bool,
    quiet: bool,
    progress: str,
    store: str,
) -> None:
    """Push images of the store to their registries.

    A name says where to; “dockerception tag” gives an image one more.  An image for several platforms is pushed for all
    of them, or for --platform.  What a registry has already is not sent again, and layers that came from elsewhere keep
    their digests.  Prints each name with the digest of its manifest.

    \b
    Examples:
      dockerception push ghcr.io/owner/app:1.2
      dockerception push --compression zstd localhost:5000/app
    """
    from ...library import registries

    given = (
        ("compression", compression or ""),
        ("compression-level", compression_level),
        ("force-compression", "true" if force_compression else ""),
    )
    attributes = [(name, value) for name, value in given if value]
    with open_store(store) as opened, progress_of(progress, store, quiet=quiet) as report:
        for name in names:
            pushed = registries.push(opened, name, platform=platform, attributes=attributes, report=report)
            output.text(pushed.digest if quiet else f"{name}@{pushed.digest}")
