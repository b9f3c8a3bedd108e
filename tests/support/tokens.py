"""A token service as registries have it (Docker's token specification): by GET with Basic, and OAuth2 by POST."""

from __future__ import annotations

import base64
import json
import secrets
import threading
from collections.abc import Mapping
from urllib.parse import parse_qs, urlsplit


class TokenService:
    """Gives tokens to ``username`` with ``password``, or for ``identity_token``; to others for pulling only.  Who asks
    for an identity token is given that.

    ``asked`` are the scopes of each request; tokens are good until ``expire``.
    """

    def __init__(
        self, username: str = "", password: str = "", *, identity_token: str = "", takes_get: bool = True
    ) -> None:
        self.asked: list[list[str]] = []
        self.methods: list[str] = []
        self._basic = "Basic " + base64.b64encode(f"{username}:{password}".encode()).decode() if username else ""
        self._form = {"username": username, "password": password}
        self._identity_token = identity_token
        self._takes_get = takes_get
        self._good: set[str] = set()
        self._lock = threading.Lock()

    def expire(self) -> None:
        """Take back all tokens."""
        with self._lock:
            self._good.clear()

    def accepts(self, authorization: str) -> bool:
        """Whether a request has a good token."""
        with self._lock:
            return authorization.removeprefix("Bearer ") in self._good

    def challenge(self, address: str, method: str, path: str) -> str:
        """What ``WWW-Authenticate`` says."""
        repository = path.removeprefix("/v2/").partition("/blobs")[0].partition("/manifests")[0]
        action = "pull" if method in ("GET", "HEAD") else "pull,push"
        scope = f',scope="repository:{repository}:{action}"' if repository else ""
        return f'Bearer realm="http://{address}/token?x=1",service="tests"{scope}'

    def answer(self, method: str, path: str, authorization: str, body: bytes) -> tuple[int, bytes]:
        """Status and document for a request to ``/token``."""
        fields = parse_qs(body.decode() if method == "POST" else urlsplit(path).query)
        self.methods.append(method)
        self.asked.append([scope for text in fields.get("scope", []) for scope in text.split()])
        if method == "GET" and not self._takes_get:
            return 404, b"not found"
        if not self._is_known(method, fields, authorization):
            return 401, json.dumps({"errors": [{"code": "UNAUTHORIZED", "message": "incorrect credentials"}]}).encode()
        token = secrets.token_hex(16)
        with self._lock:
            self._good.add(token)
        name = "access_token" if method == "POST" else "token"
        document: dict[str, object] = {name: token, "expires_in": 300}
        if fields.get("offline_token") == ["true"] or fields.get("access_type") == ["offline"]:
            document["refresh_token"] = self._identity_token
        return 200, json.dumps(document).encode()

    def _is_known(self, method: str, fields: Mapping[str, list[str]], authorization: str) -> bool:
        if method == "GET":
            return authorization == self._basic
        first = {name: values[0] for name, values in fields.items()}
        if first.get("grant_type") == "refresh_token":
            return bool(self._identity_token) and first.get("refresh_token") == self._identity_token
        return all(first.get(name) == value for name, value in self._form.items())
