"""``dockerception logout``."""

from __future__ import annotations

import click

from .. import output
from ..click_types import Command


@click.command("logout", cls=Command)
@click.argument("server", required=False, default="", metavar="[REGISTRY]")
def command(server: str) -> None:
    """Log out from a registry.

    Removes its credentials from Docker's config.json, and from the credential helper that it names.  The default
    registry is docker.io.

    \b
    Examples:
      dockerception logout ghcr.io
    """
    from ...library import registries

    domain = registries.registry_of(server)
    found = registries.logout(server)
    output.text(f"Logged out from {domain}." if found else f"There were no credentials for {domain}.")
