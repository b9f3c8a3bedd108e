"""What ``doctor`` says of the user's own settings: the config file, and the engine that is used."""

from __future__ import annotations

import os

from .. import user_config
from ..engines import choice
from ..errors import UsageError
from .findings import Check


def checks() -> list[Check]:
    """The findings."""
    return [_file(), _engine()]


def _file() -> Check:
    path = user_config.path()
    finding = Check(name="config file", works=True, needed_for="settings of your own", detail=f"{path} was read")
    if not os.path.lexists(path):
        return Check(name="config file", works=True, needed_for=finding.needed_for, detail=f"there is none at {path}")
    try:
        user_config.load()
    except UsageError as error:
        return Check(
            name="config file", works=False, needed_for=finding.needed_for, detail=error.message, hint=error.hint
        )
    return finding


def _engine() -> Check:
    needed_for = "building without --engine"
    try:
        chosen = choice.choose("")
    except UsageError as error:
        return Check(name="engine", works=False, needed_for=needed_for, detail=error.message, hint=error.hint)
    return Check(name="engine", works=True, needed_for=needed_for, detail=f"{chosen} is used without --engine")
