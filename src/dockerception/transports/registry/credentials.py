"""Credentials from Docker's ``config.json`` (``DOCKER_CONFIG``, else ``~/.docker``): plain entries and helpers."""

from __future__ import annotations

import base64
import os
import re
from collections.abc import Mapping
from typing import Any, Final

import msgspec

from ... import process
from ...errors import TransportError
from ...oci.documents import UNREADABLE
from ...reference import DEFAULT_DOMAIN

HUB_KEY: Final = "https://index.docker.io/v1/"
"""Under which name Docker keeps the credentials of docker.io."""

_HUB_NAMES: Final = frozenset({DEFAULT_DOMAIN, "index.docker.io", "registry-1.docker.io"})
_HELPER: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
TOKEN_USER: Final = "<token>"  # noqa: S105
"""What helpers have as the user of an identity token."""

_HELPER_SECONDS: Final = 60.0


class Credentials(msgspec.Struct, frozen=True, kw_only=True):
    """Who we are at a registry: a user with a password, an identity token (a refresh token), or a ready-made bearer."""

    username: str = ""
    password: str = ""
    identity_token: str = ""
    registry_token: str = ""

    def __repr__(self) -> str:
        return f"<Credentials of {self.username or 'a token'}>"

    @property
    def basic(self) -> str:
        """The value of an ``Authorization`` header of the scheme Basic (RFC 7617)."""
        pair = f"{self.username}:{self.password}".encode()
        return f"Basic {base64.b64encode(pair).decode()}"


def config_path(environment: Mapping[str, str] | None = None) -> str:
    """Where Docker's client config is, or would be."""
    environment = os.environ if environment is None else environment
    folder = environment.get("DOCKER_CONFIG") or os.path.join(os.path.expanduser("~"), ".docker")
    return os.path.join(folder, "config.json")


def read_config(path: str) -> dict[str, Any]:
    """The whole document, empty where there is none.  Raises ``TransportError`` for one that can't be read."""
    try:
        with open(path, "rb") as file:
            data = file.read()
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except OSError as error:
        raise TransportError(f"Docker's config {path} can't be read: {error.strerror}.") from error
    try:
        return msgspec.json.decode(data, type=dict[str, Any]) if data.strip() else {}
    except UNREADABLE as error:
        raise TransportError(
            f"Docker's config {path} is not a valid document: {error}.", hint="mend it, or move it away"
        ) from error


def find_credentials(domain: str, path: str) -> Credentials | None:
    """The credentials for a registry: those of its helper, of the general one, or of the file itself, in this order."""
    config = read_config(path)
    helper = helper_for(domain, config)
    if helper:
        found = _ask_helper(helper, key_of(domain))
        if found is not None:
            return found
    entry = _entry(domain, config)
    return _from_entry(entry, path) if entry is not None else None


def helper_for(domain: str, config: Mapping[str, Any]) -> str:
    """The name of the credential helper for a registry (``credHelpers``, else ``credsStore``); empty for none."""
    helpers = config.get("credHelpers")
    if isinstance(helpers, dict):
        for name, helper in helpers.items():
            if names_host(name, domain) and isinstance(helper, str):
                return helper
    store = config.get("credsStore")
    return store if isinstance(store, str) else ""


def key_of(domain: str) -> str:
    """Under which name Docker keeps a registry's credentials."""
    return HUB_KEY if domain in _HUB_NAMES else domain


def names_host(name: str, domain: str) -> bool:
    """Whether an entry's name (a host, or a URL of any age) means this registry."""
    host = name.partition("://")[2] if "://" in name else name
    host = host.partition("/")[0].lower()
    return host == domain.lower() or (host in _HUB_NAMES and domain in _HUB_NAMES)


def run_helper(helper: str, action: str, data: bytes) -> process.Completed:
    """Run ``docker-credential-<helper> <action>``, which reads ``data``.  Raises ``TransportError`` if it can't be."""
    if not _HELPER.fullmatch(helper):
        raise TransportError(f"Docker's config names the credential helper “{helper}”, which can't be one.")
    program = process.find(f"docker-credential-{helper}")
    if program is None:
        raise TransportError(
            f"The credential helper “docker-credential-{helper}” that Docker's config names is not installed.",
            hint="install it, or take it out of credsStore or credHelpers in config.json",
        )
    return process.run([program, action], stdin=data, check=False, timeout=_HELPER_SECONDS)


def helper_failure(helper: str, action: str, done: process.Completed) -> TransportError:
    """The error for a helper that failed; helpers say why on stdout."""
    said = (done.stdout or done.stderr)[-2000:].decode(errors="replace").strip()
    return TransportError(f"The credential helper “docker-credential-{helper}” failed to {action}.", details=said)


def _ask_helper(helper: str, key: str) -> Credentials | None:
    done = run_helper(helper, "get", key.encode())
    if done.returncode != 0:
        said = (done.stdout + done.stderr).lower()
        if b"not found" in said or b"no credentials" in said:
            return None
        raise helper_failure(helper, "get credentials", done)
    try:
        answer = msgspec.json.decode(done.stdout, type=dict[str, Any])
        username, secret = str(answer.get("Username", "")), str(answer.get("Secret", ""))
    except UNREADABLE as error:
        raise TransportError(f"The credential helper “docker-credential-{helper}” has answered no document.") from error
    if not secret:
        return None
    if username == TOKEN_USER:
        return Credentials(identity_token=secret)
    return Credentials(username=username, password=secret)


def _entry(domain: str, config: Mapping[str, Any]) -> dict[str, Any] | None:
    entries = config.get("auths")
    if not isinstance(entries, dict):
        return None
    exact = entries.get(key_of(domain))
    if isinstance(exact, dict):
        return exact
    return next((each for name, each in entries.items() if names_host(name, domain) and isinstance(each, dict)), None)


def _from_entry(entry: Mapping[str, Any], path: str) -> Credentials | None:
    def text(name: str) -> str:
        value = entry.get(name)
        return value if isinstance(value, str) else ""

    username, password = text("username"), text("password")
    if text("auth"):
        try:
            pair = base64.b64decode(text("auth"), validate=True).decode()
        except ValueError as error:
            raise TransportError(
                f"Docker's config {path} has an “auth” that is not Base64.", hint="log in again"
            ) from error
        username, _, password = pair.partition(":")
        password = password.rstrip("\0")
    found = Credentials(
        username=username, password=password, identity_token=text("identitytoken"), registry_token=text("registrytoken")
    )
    return found if found != Credentials() else None
