"""``dockerception rm``."""

from __future__ import annotations

import click

from ...errors import DockerceptionError, ImageNotFoundError
from .. import failures, output
from ..click_types import Command, option
from ..stores import complete_image, open_store, store_option


@click.command("rm", cls=Command)
@click.argument("images", nargs=-1, required=True, metavar="IMAGE...", shell_complete=complete_image)
@option(
    "-f",
    "--force",
    is_flag=True,
    help="Remove an image by its id though it has several names; missing ones are no error.",
)
@store_option
def command(images: tuple[str, ...], force: bool, store: str) -> int:
    """Remove images, or names of images.

    A name is taken away; with its last name the image goes too.  The room comes back with “dockerception prune”.

    \b
    Examples:
      dockerception rm app:old
      dockerception rm --force 5f3e9a
    """
    from ...library.images import remove

    code = 0
    with open_store(store) as opened:
        for image in images:
            try:
                removal = remove(opened, image, force=force)
            except ImageNotFoundError as error:
                code = code if force else _report(error)
            except DockerceptionError as error:
                code = _report(error)
            else:
                for name in removal.untagged:
                    output.text(f"Untagged: {name}")
                for deleted in removal.deleted:
                    output.text(f"Deleted: {deleted}")
    return code


def _report(error: DockerceptionError) -> int:
    failures.show(error)
    return error.exit_code
