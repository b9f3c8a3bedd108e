"""Answers to challenges: Basic, and the bearer tokens of Docker's token specification (GET, and OAuth2 by POST)."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from typing import Final
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

import msgspec

from ...errors import TransportError
from ...http import Client, Request, Whole, shown
from ...http.messages import split
from ...http.proxy import is_loopback
from ...oci.documents import UNREADABLE
from . import failures
from .challenge import Challenge
from .credentials import Credentials

_CLIENT_ID: Final = "dockerception"
_LIMIT: Final = 1 << 20
_DEFAULT_SECONDS: Final = 60.0
_MARGIN_SECONDS: Final = 5.0
Scopes = tuple[str, ...]


class _Answer(msgspec.Struct, frozen=True, kw_only=True):
    token: str | None = None
    access_token: str | None = None
    expires_in: float | None = None
    refresh_token: str | None = None


class _Token(msgspec.Struct, frozen=True):
    header: str
    until: float


class Authenticator:
    """Knows what to put into ``Authorization`` for one registry; threads may share it.

    Tokens are kept until shortly before they expire, one for each set of scopes.
    """

    def __init__(
        self,
        http: Client,
        find: Callable[[], Credentials | None],
        *,
        registry: str,
        is_encrypted: Callable[[], bool] = lambda: True,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._http = http
        self._find = find
        self._registry = registry
        self._is_encrypted = is_encrypted
        self._clock = clock
        self._lock = threading.RLock()
        self._has_looked = False
        self._credentials: Credentials | None = None
        self._is_basic = False
        self._tokens: dict[Scopes, _Token] = {}
        self._wants_identity_token = False
        self._identity_token = ""

    @property
    def credentials(self) -> Credentials | None:
        """The registry's credentials, looked up when they are first needed."""
        with self._lock:
            if not self._has_looked:
                self._credentials = self._find()
                self._has_looked = True
            return self._credentials

    @property
    def identity_token(self) -> str:
        """What the token service has given to be kept in place of the password; empty if it gives none."""
        return self._identity_token

    def want_identity_token(self) -> None:
        """Ask the token service for an identity token from now on (Docker's token specification, "offline_token")."""
        self._wants_identity_token = True

    def current(self, scopes: Scopes) -> str:
        """The header to begin with; empty as long as nothing was asked for."""
        with self._lock:
            if self._is_basic and self.credentials is not None:
                return self.credentials.basic
            token = self._tokens.get(scopes)
            return token.header if token is not None and token.until > self._clock() else ""

    def answer(self, challenges: Sequence[Challenge], scopes: Scopes, *, refused: str) -> str:
        """The header for a request that was refused with the header ``refused``; empty where there is no other one.

        Raises ``TransportError`` where the token service refuses.
        """
        with self._lock:
            now = self.current(scopes)
            if now and now != refused:
                return now  # another thread was faster
            for challenge in challenges:
                if challenge.scheme == "bearer" and challenge.parameters.get("realm"):
                    return self._new_token(challenge, scopes, refused)
                if challenge.scheme == "basic" and self.credentials is not None and self.credentials.username:
                    self._is_basic = True
                    return "" if refused == self.credentials.basic else self.credentials.basic
            return ""

    def _new_token(self, challenge: Challenge, scopes: Scopes, refused: str) -> str:
        known = self.credentials
        if known is not None and known.registry_token:
            header = f"Bearer {known.registry_token}"
            return "" if header == refused else header
        answer = self._ask(challenge, scopes or tuple(challenge.parameters.get("scope", "").split()))
        text = answer.token or answer.access_token or ""
        if not text or not text.isascii() or not text.isprintable():
            raise TransportError(f"The token service of {self._registry} has answered without a token.")
        if self._wants_identity_token:
            self._identity_token = answer.refresh_token or self._identity_token
        seconds = max(answer.expires_in or 0.0, _DEFAULT_SECONDS) - _MARGIN_SECONDS
        token = _Token(f"Bearer {text}", self._clock() + seconds)
        self._tokens[scopes] = token
        return token.header

    def _ask(self, challenge: Challenge, scopes: Scopes) -> _Answer:
        realm = challenge.parameters["realm"]
        parts = split(realm)
        if parts.scheme not in ("http", "https"):
            raise TransportError(f"The token service of {self._registry} is at “{realm}”, which is no http URL.")
        service = challenge.parameters.get("service", "")
        known = self.credentials
        if (
            known is not None
            and parts.scheme == "http"
            and self._is_encrypted()
            and not is_loopback(parts.hostname or "")
        ):
            raise TransportError(
                f"The token service of {self._registry} is at {shown(realm)}, which is not encrypted, though the"
                " registry is: it gets no credentials."
            )
        if known is not None and known.identity_token:
            form = {"grant_type": "refresh_token", "refresh_token": known.identity_token}
            return self._decoded(self._post(realm, service, scopes, form), realm)
        whole = self._get(realm, service, scopes, known)
        if whole.status in (404, 405) and known is not None:
            form = {"grant_type": "password", "username": known.username, "password": known.password}
            if self._wants_identity_token:
                form["access_type"] = "offline"
            whole = self._post(realm, service, scopes, form)
        return self._decoded(whole, realm)

    def _get(self, realm: str, service: str, scopes: Scopes, known: Credentials | None) -> Whole:
        parts = urlsplit(realm)
        query = [*parse_qsl(parts.query), *([("service", service)] if service else [])]
        query += [("scope", scope) for scope in scopes]
        if known is not None:
            query.append(("account", known.username))
        if self._wants_identity_token:
            query += [("client_id", _CLIENT_ID), ("offline_token", "true")]
        url = urlunsplit((parts.scheme, parts.netloc, parts.path, urlencode(query), ""))
        authorization = known.basic if known is not None else ""
        return self._http.fetch(Request(method="GET", url=url, authorization=authorization), limit=_LIMIT)

    def _post(self, realm: str, service: str, scopes: Scopes, form: dict[str, str]) -> Whole:
        fields = {**form, "service": service, "scope": " ".join(scopes), "client_id": _CLIENT_ID}
        headers = {"content-type": "application/x-www-form-urlencoded"}
        request = Request(method="POST", url=realm, headers=headers, body=urlencode(fields).encode())
        return self._http.fetch(request, limit=_LIMIT)

    def _decoded(self, whole: Whole, realm: str) -> _Answer:
        if whole.status in (400, 401, 403):
            raise failures.rejected(self._registry, self.credentials, failures.said(whole.body))
        if whole.status != 200:
            raise failures.error_for(whole, subject=f"A token of {shown(realm)}", registry=self._registry)
        try:
            return msgspec.json.decode(whole.body, type=_Answer)
        except UNREADABLE as error:
            raise TransportError(
                f"The token service {shown(realm)} has answered no valid document: {error}."
            ) from error
