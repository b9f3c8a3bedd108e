"""What ``pull`` and ``push`` share: their options, and progress around work that makes no image."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import click

from ..errors import DockerceptionError
from ..reference import Platform
from .click_types import Value, option
from .progress import Progress

PLATFORM: Final = option(
    "--platform",
    is_common=True,
    metavar="OS/ARCH",
    type=Value("platform", Platform.parse),
    help="The image's platform, where there are several.  [default: this machine's; push, save: all]",
)


@contextmanager
def progress_of(mode: str, store: str, *, quiet: bool) -> Iterator[Progress]:
    """Progress, on stderr, for the duration of a block; a renderer that shows errors itself has shown them after it."""
    from ..store.store import default_root

    with Progress("quiet" if quiet else mode, os.path.join(store or default_root(), "logs")) as progress:
        try:
            yield progress
        except DockerceptionError as error:
            if progress.fail(error):
                raise click.exceptions.Exit(error.exit_code) from error
            raise
