"""``docker-dockerception``: the command line as a plugin of Docker's, so that ``docker dockerception build .`` works.

Docker finds it in ``~/.docker/cli-plugins``, asks it for its metadata, and calls it with all words of its own command
line.  The options in front of the plugin's name are Docker's; those that choose a daemon count for us too.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from typing import Final, NoReturn

from ..engines import choice
from ..errors import DockerceptionError

_METADATA: Final = "docker-cli-plugin-metadata"
_NAME: Final = "dockerception"
_VARIABLES: Final = {
    "--config": "DOCKER_CONFIG",
    "--context": "DOCKER_CONTEXT",
    "-c": "DOCKER_CONTEXT",
    "--host": "DOCKER_HOST",
    "-H": "DOCKER_HOST",
}
_FLAGS: Final = {"--tlsverify": "DOCKER_TLS_VERIFY"}
_TAKES_VALUE: Final = (*_VARIABLES, "--log-level", "-l", "--tlscacert", "--tlscert", "--tlskey")


def main() -> NoReturn:
    """Answer Docker's question, or run the command line with the engine ``docker`` unless the user prefers another."""
    if sys.argv[1:2] == [_METADATA]:
        print(json.dumps(metadata()))
        sys.exit(0)
    variables, arguments = take_off(sys.argv[1:])
    os.environ.update(variables)
    if not _has_preference():
        os.environ[choice.VARIABLE] = "docker"
    sys.argv[1:] = arguments
    from .main import main as run

    run()


def metadata() -> dict[str, str]:
    """What Docker wants to know of a plugin (cli-plugins, schema 0.1.0)."""
    from .. import __version__

    return {
        "SchemaVersion": "0.1.0",
        "Vendor": "dockerception",
        "Version": __version__,
        "ShortDescription": "Build small images from what a builder image writes",
    }


def take_off(arguments: Sequence[str]) -> tuple[dict[str, str], list[str]]:
    """The variables that Docker's own options stand for, and what follows the plugin's name."""
    variables: dict[str, str] = {}
    rest = list(arguments)
    while rest and rest[0] != _NAME:
        option, has_value, value = rest.pop(0).partition("=")
        if option in _TAKES_VALUE and not has_value and rest:
            value = rest.pop(0)
        if option in _VARIABLES:
            variables[_VARIABLES[option]] = value
        elif option in _FLAGS and value not in ("false", "0"):
            variables[_FLAGS[option]] = "1"
    return variables, rest[1:]


def _has_preference() -> bool:
    try:
        return bool(choice.preferred())
    except DockerceptionError:
        return True  # the command says what is wrong with it
