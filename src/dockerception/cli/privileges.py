"""Readers of ``--secret``, ``--ssh`` and ``--allow``.  Each raises ``UsageError`` for a text that is none."""

from __future__ import annotations

import os
import stat
from typing import Final

from ..engines import secrets
from ..engines.attributes import fields
from ..engines.base import Secret, SshAgent
from ..errors import UsageError

_SECRET_KEYS: Final = {"type": "type", "id": "id", "src": "src", "source": "src", "env": "env"}
_HINT: Final = "write id=NAME,src=FILE or id=NAME,env=VARIABLE"


def secret(text: str) -> Secret:
    """``id=ID[,src=FILE|env=NAME]``, with ``type=file|env`` where wanted, as ``docker buildx build`` has it.

    An id alone is a variable of that name, if it is set, else a file of that name.
    """
    pairs = _pairs(text)
    name, kind = pairs.get("id", ""), pairs.get("type", "")
    if not name:
        raise UsageError("A secret has no id.", hint=_HINT)
    if kind not in ("", "file", "env"):
        raise UsageError(f"The secret “{name}” has the type “{kind}”.", hint="types are file and env")
    file, variable = pairs.get("src", ""), pairs.get("env", "")
    if kind == "env" and not variable:
        file, variable = "", file
    if file and variable:
        raise UsageError(f"The secret “{name}” is both a file and a variable.", hint="keep src or env")
    if not file and not variable:
        file, variable = ("", name) if kind != "file" and name in os.environ else (name, "")
    found = Secret(id=name, file=os.path.abspath(file) if file else "", env=variable)
    secrets.read(found)
    return found


def ssh(text: str) -> SshAgent:
    """``ID`` (the agent of SSH_AUTH_SOCK), ``ID=SOCKET`` or ``ID=KEY[,KEY]``."""
    name, _, rest = text.partition("=")
    paths = [os.path.abspath(os.path.expanduser(path)) for path in rest.split(",") if path]
    if not name:
        raise UsageError(f"“{text}” names no ssh agent.", hint="write default, or ID=SOCKET, or ID=KEY[,KEY]")
    paths = paths or [secrets.socket_of(SshAgent(id=name))]
    kinds = [_kind_of(path) for path in paths]
    if "socket" not in kinds:
        return SshAgent(id=name, keys=tuple(paths))
    if len(paths) > 1:
        raise UsageError(f"--ssh {text} has a socket and more.", hint="an agent's socket stands alone")
    return SshAgent(id=name, socket=paths[0])


def _pairs(text: str) -> dict[str, str]:
    # What is wrong here may be the secret itself, in the wrong place: it is never shown.
    try:
        all_fields = fields(text, "secret")
    except UsageError:
        raise UsageError("A secret is not comma-separated values.", hint=_HINT) from None
    pairs: dict[str, str] = {}
    for field in all_fields:
        key, equals, value = field.partition("=")
        name = _SECRET_KEYS.get(key.strip().lower())
        if not equals or name is None:
            raise UsageError("A secret has a field that is none.", hint=_HINT)
        pairs[name] = value
    return pairs


def _kind_of(path: str) -> str:
    try:
        mode = os.stat(path).st_mode
    except OSError as error:
        raise UsageError(f"The socket or key {path} of --ssh can't be used: {error.strerror}.") from error
    return "socket" if stat.S_ISSOCK(mode) else "key"
