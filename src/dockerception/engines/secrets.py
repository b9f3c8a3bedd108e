"""The values of secrets, and the sockets of agents: looked up when a step asks for one, and kept by nobody."""

from __future__ import annotations

import os
from typing import Final

from ..errors import UsageError
from .base import Secret, SshAgent

MAX_BYTES: Final = 500 << 10
"""The largest secret, as in BuildKit."""


def read(secret: Secret) -> bytes:
    """The value.  Raises ``UsageError``, which does not have it, where there is none or it is too large."""
    value = _from_environment(secret) if secret.env else _from_file(secret)
    if len(value) > MAX_BYTES:
        raise UsageError(
            f"The secret “{secret.id}” is larger than {MAX_BYTES >> 10} KiB.",
            hint="a secret is a key or a token; for files there is --build-context and RUN --mount=type=bind",
        )
    return value


def socket_of(agent: SshAgent) -> str:
    """The path of the agent's socket; empty for one that is to hold keys.  Raises ``UsageError`` if there is none."""
    socket = agent.socket or ("" if agent.keys else os.environ.get("SSH_AUTH_SOCK", ""))
    if not socket and not agent.keys:
        raise UsageError(
            f"The ssh agent “{agent.id}” is that of SSH_AUTH_SOCK, which is not set.",
            hint=f"start an agent, or give a key: --ssh {agent.id}=$HOME/.ssh/id_ed25519",
        )
    return socket


def _from_environment(secret: Secret) -> bytes:
    value = os.environb.get(os.fsencode(secret.env))
    if value is None:
        raise UsageError(
            f"The secret “{secret.id}” is to come from the variable {secret.env}, which is not set.",
            hint="export it, or give a file: --secret id=…,src=FILE",
        )
    return value


def _from_file(secret: Secret) -> bytes:
    try:
        with open(secret.file, "rb") as file:
            return file.read(MAX_BYTES + 1)
    except OSError as error:
        raise UsageError(
            f"The file {secret.file} of the secret “{secret.id}” can't be read: {error.strerror}."
        ) from error
