"""``dockerception login``."""

from __future__ import annotations

import sys

import click

from ...errors import UsageError
from .. import output
from ..click_types import Command, option

_MAX_PASSWORD = 1 << 16


@click.command("login", cls=Command)
@click.argument("server", required=False, default="", metavar="[REGISTRY]")
@option("-u", "--username", metavar="NAME", default="", help="The user; asked for on a terminal.")
@option(
    "-p", "--password", metavar="TEXT", default="", help="The password; others can see it in the list of processes."
)
@option("--password-stdin", is_flag=True, help="Read the password from stdin.")
def command(server: str, username: str, password: str, password_stdin: bool) -> None:
    """Log in to a registry.

    The registry is asked whether it takes the credentials.  They are kept where Docker keeps its own: in the credential
    helper that its config.json names, else in that file.  The default registry is docker.io.

    \b
    Examples:
      dockerception login ghcr.io
      pass show registry | dockerception login -u me --password-stdin registry.example.com
    """
    from ...library import registries

    if password and password_stdin:
        raise UsageError("--password and --password-stdin are two passwords.", hint="give one of them")
    if password_stdin:
        if not username:
            raise UsageError("--password-stdin needs a user.", hint="give --username")
        password = _read_password()
    if not (username and password) and not sys.stdin.isatty():
        raise UsageError("Nobody is here to be asked.", hint="give --username and --password-stdin")
    try:
        username = username or click.prompt("Username", err=True)
        password = password or click.prompt("Password", hide_input=True, err=True)
    except click.Abort as error:
        raise UsageError("A login needs a user and a password.") from error
    where = registries.login(server, username, password)
    output.text(f"Logged in to {registries.registry_of(server)} as {username}; the credentials are kept in {where}.")


def _read_password() -> str:
    data = sys.stdin.buffer.read(_MAX_PASSWORD)
    try:
        return data.decode().rstrip("\r\n")
    except UnicodeDecodeError as error:
        raise UsageError("The password on stdin is not text.") from error
