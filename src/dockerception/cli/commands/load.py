"""``dockerception load``."""

from __future__ import annotations

import os
import shutil
import stat
import sys
from typing import TYPE_CHECKING

import click

from ...errors import UsageError
from .. import output
from ..click_types import Command, option
from ..stores import open_store, store_option

if TYPE_CHECKING:
    from ...store.store import Store

_STDIN = "/dev/stdin"


@click.command("load", cls=Command)
@option(
    "-i",
    "--input",
    "source",
    metavar="FILE",
    default="",
    help="Read a file, or the directory of an OCI layout, instead of stdin.",
)
@option("-q", "--quiet", is_flag=True, help="Print only the ids.")
@store_option
def command(source: str, quiet: bool, store: str) -> None:
    """Read images from an archive.

    The formats are Docker's and OCI's, compressed or not.

    \b
    Examples:
      docker save app | dockerception load
      dockerception load -i app.tar
    """
    from ...library import archives

    if not source and sys.stdin.isatty():
        raise UsageError("stdin is a terminal, and an archive was expected.", hint="use -i FILE, or a pipe")
    with open_store(store) as opened:
        for stored, names in archives.load(opened, source or _stdin_file(opened), origin=_origin(source)):
            if quiet:
                output.text(stored.image)
                continue
            lines = [f"Loaded image: {name.familiar}" for name in names] or [f"Loaded image ID: {stored.image}"]
            output.text("\n".join(lines))


def _origin(source: str) -> str:
    return "" if source else "The archive on stdin"


def _stdin_file(store: Store) -> str:
    """A path that has stdin's bytes at any position: stdin itself where it is a file."""
    if stat.S_ISREG(os.fstat(0).st_mode) and os.lseek(0, 0, os.SEEK_CUR) == 0:
        return _STDIN
    from ...store.disk import disk_errors

    path = store.temporary("-stdin")
    with disk_errors("reading the archive from stdin"), open(path, "xb") as copy:
        shutil.copyfileobj(sys.stdin.buffer, copy, 1 << 20)
    return path
