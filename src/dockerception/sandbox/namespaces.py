"""Whether the helper can have namespaces of its own here, found out by making some."""

from __future__ import annotations

from typing import Final

from .. import process
from ..errors import MachineError
from . import causes
from .messages import Ability

NAMESPACES: Final = ("--mount", "--pid", "--fork", "--kill-child", "--propagation", "private")
"""What ``unshare`` makes for the helper, besides a user namespace for who needs one."""


def check() -> Ability:
    """Make the namespaces that the helper would have, with a ``/proc`` in them; says the cause where that fails."""
    try:
        unshare = process.require("unshare", "util-linux", "to run steps")
        true = process.require("true", "coreutils", "to run steps")
    except MachineError as error:
        return Ability(works=False, reason=error.message, remedy=error.hint)
    user = ["--user", "--map-root-user"] if causes.needs_user_namespace() else []
    done = process.run([unshare, *user, *NAMESPACES, "--mount-proc", "--", true], check=False)
    if done.returncode == 0:
        return Ability(works=True)
    said = done.stderr.decode(errors="replace").strip()
    cause = causes.of_no_namespaces(causes.facts(), said)
    return Ability(works=False, reason=f"{cause.reason} ({said})", remedy=cause.remedy)
