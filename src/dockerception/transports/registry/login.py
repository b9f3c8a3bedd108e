"""``login`` and ``logout``: changes to Docker's ``config.json``, or to the helper that it names."""

from __future__ import annotations

import base64
import os
import secrets
from collections.abc import Callable
from typing import Any

import msgspec

from ...errors import TransportError
from .credentials import (
    TOKEN_USER,
    Credentials,
    helper_failure,
    helper_for,
    key_of,
    names_host,
    read_config,
    run_helper,
)


def remember(domain: str, credentials: Credentials, path: str) -> str:
    """Keep the credentials of a registry; returns where: a helper's name, or the path of the file.

    The file is replaced at once and only its owner may read it; everything else in it stays.
    """
    config = read_config(path)
    key = key_of(domain)
    helper = helper_for(domain, config)
    if helper:
        user = TOKEN_USER if credentials.identity_token else credentials.username
        secret = credentials.identity_token or credentials.password
        document = {"ServerURL": key, "Username": user, "Secret": secret}
        done = run_helper(helper, "store", msgspec.json.encode(document))
        if done.returncode != 0:
            raise helper_failure(helper, "store credentials", done)
        entry: dict[str, str] = {}  # as Docker does: the name shows that there are credentials
    else:
        pair = f"{credentials.username}:{credentials.password}".encode()
        entry = {"auth": base64.b64encode(pair).decode()}
        if credentials.identity_token:
            entry["identitytoken"] = credentials.identity_token
    _change(path, lambda auths: auths.update({key: entry}))
    return f"docker-credential-{helper}" if helper else path


def forget(domain: str, path: str) -> bool:
    """Remove the credentials of a registry, from the helper and from the file; returns whether there were any."""
    config = read_config(path)
    found = False
    helper = helper_for(domain, config)
    if helper:
        found = run_helper(helper, "erase", key_of(domain).encode()).returncode == 0
    auths = config.get("auths")
    names = [name for name in auths if names_host(name, domain)] if isinstance(auths, dict) else []
    if names:
        found = True

        def remove(entries: dict[str, Any]) -> None:
            for name in names:
                entries.pop(name, None)

        _change(path, remove)
    return found


def _change(path: str, change: Callable[[dict[str, Any]], None]) -> None:
    config = read_config(path)
    auths = config.get("auths")
    entries = dict(auths) if isinstance(auths, dict) else {}
    change(entries)
    config["auths"] = entries
    _replace(path, msgspec.json.format(msgspec.json.encode(config), indent=4) + b"\n")


def _replace(path: str, data: bytes) -> None:
    # A link stays one: people keep this file elsewhere.
    path = os.path.realpath(path)
    temporary = f"{path}.{secrets.token_hex(4)}"
    try:
        os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            os.rename(temporary, path)
        except BaseException:
            os.unlink(temporary)
            raise
    except OSError as error:
        raise TransportError(f"Docker's config {path} can't be written: {error.strerror}.") from error
