"""``dockerception version``."""

from __future__ import annotations

import sys

import click

from ... import __version__
from .. import output
from ..click_types import Command


@click.command("version", cls=Command)
def command() -> None:
    """Print the version.

    \b
    Example:
      dockerception version
    """
    python = ".".join(str(number) for number in sys.version_info[:3])
    output.text(f"dockerception {__version__} (Python {python})")
