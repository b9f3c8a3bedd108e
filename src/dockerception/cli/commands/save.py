"""``dockerception save``."""

from __future__ import annotations

import click

from ...reference import Platform
from ..click_types import Command, option
from ..stores import complete_image, open_store, store_option
from ..transfers import PLATFORM


@click.command("save", cls=Command)
@click.argument("images", nargs=-1, required=True, metavar="IMAGE...", shell_complete=complete_image)
@option("-o", "--output", metavar="FILE", default="-", help="Write to a file instead of stdout.")
@option(
    "--format", type=click.Choice(["docker", "oci"]), default="docker", show_default=True, help="The archive's format."
)
@PLATFORM
@store_option
def command(images: tuple[str, ...], output: str, format: str, platform: Platform | None, store: str) -> None:
    """Write images to an archive.

    OCI's format has an image for all of its platforms, Docker's for one of them.

    \b
    Examples:
      dockerception save app | docker load
      dockerception save -o app.tar --format oci app
    """
    from ...library import archives
    from ..files import check_writable, stdout_or_file

    if output != "-":
        check_writable(output, "--output")
    with open_store(store) as opened, stdout_or_file(output) as write:
        archives.save(opened, images, write, format="oci" if format == "oci" else "docker", platform=platform)
