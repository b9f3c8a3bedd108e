"""One registry, spoken to: the scheme found out once, credentials added, a refused token renewed once."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from typing import Final

import msgspec

from ...errors import ImageError, TransportError
from ...http import Client, ConnectionFailedError, NoTlsError, Request, Response, TlsError, Whole
from ...http.messages import Body, joined, origin_of
from . import challenge, failures
from .credentials import Credentials
from .hosts import INSECURE_VARIABLE, Endpoint
from .tokens import Authenticator, Scopes

_PING_LIMIT: Final = 1 << 16


class Connection:
    """Requests to one registry; threads may share it.  ``find_credentials()`` is called when a registry wants some."""

    def __init__(self, http: Client, endpoint: Endpoint, find_credentials: Callable[[], Credentials | None]) -> None:
        self.endpoint = endpoint
        self.http = http
        self._lock = threading.Lock()
        self._base = ""
        self.auth = Authenticator(
            http,
            find_credentials,
            registry=endpoint.domain,
            is_encrypted=lambda: self._base.startswith("https:"),
        )

    @property
    def name(self) -> str:
        """What messages call the registry."""
        return self.endpoint.domain

    def base(self) -> str:
        """The registry's URL, found out by asking for ``/v2/``: https, else http where that is allowed."""
        with self._lock:
            if not self._base:
                self._base = self._find_base()
            return self._base

    def ping(self, scopes: Scopes = ()) -> Whole:
        """The answer to ``GET /v2/`` with the credentials there are (distribution-spec, "Determining Support")."""
        return self.fetch("GET", "/v2/", scopes=scopes, limit=_PING_LIMIT)

    def send(
        self,
        method: str,
        path: str,
        *,
        scopes: Scopes,
        headers: Mapping[str, str] | None = None,
        body: Body = None,
        length: int = 0,
        is_repeatable: bool = True,
    ) -> Response:
        """Send a request; ``path`` may be a whole URL, which gets credentials only if it is the registry's own.

        Answers of all statuses are returned.  Raises what ``http.Client.send`` does.
        """
        request = Request(
            method=method,
            url=joined(self.base(), path),
            headers=headers or {},
            body=body,
            length=length,
            is_repeatable=is_repeatable,
        )
        if origin_of(request.url) != origin_of(self.base()):
            return self.http.send(request)
        refused = self.auth.current(scopes)
        response = self.http.send(msgspec.structs.replace(request, authorization=refused))
        fresh = self._fresh(response, scopes, refused)
        if not fresh:
            return response
        response.close()
        return self.http.send(msgspec.structs.replace(request, authorization=fresh))

    def fetch(
        self, method: str, path: str, *, scopes: Scopes, headers: Mapping[str, str] | None = None, limit: int
    ) -> Whole:
        """``send``, and the whole body, at most ``limit`` bytes of it."""
        request = Request(method=method, url=joined(self.base(), path), headers=headers or {})
        refused = self.auth.current(scopes)
        whole = self.http.fetch(msgspec.structs.replace(request, authorization=refused), limit=limit)
        fresh = self._fresh(whole, scopes, refused)
        if not fresh:
            return whole
        return self.http.fetch(msgspec.structs.replace(request, authorization=fresh), limit=limit)

    def error(self, answer: Response | Whole, subject: str, *, action: str = "give") -> ImageError:
        """The error for an answer that was not hoped for; closes it."""
        whole = failures.whole(answer) if isinstance(answer, Response) else answer
        known = self.auth.credentials if whole.status in (401, 403) else None
        return failures.error_for(whole, subject=subject, registry=self.name, credentials=known, action=action)

    def _fresh(self, answer: Response | Whole, scopes: Scopes, refused: str) -> str:
        if answer.status != 401 or origin_of(answer.url) != origin_of(self.base()):
            return ""
        wanted = challenge.parse(answer.headers.get("www-authenticate", ""))
        return self.auth.answer(wanted, scopes, refused=refused)

    def _find_base(self) -> str:
        host = self.endpoint.host
        try:
            # Where http is the other possibility, a refused https connection is an answer, not a fault.
            is_repeatable = not self.endpoint.may_be_http
            self._knock(f"https://{host}", is_repeatable=is_repeatable)
        except (ConnectionFailedError, TlsError) as error:
            is_another = isinstance(error, NoTlsError | ConnectionFailedError)
            if not (self.endpoint.may_be_http and is_another):
                raise _explained(error, host) from error
            self._knock(f"http://{host}", is_repeatable=True)
            return f"http://{host}"
        return f"https://{host}"

    def _knock(self, base: str, *, is_repeatable: bool) -> None:
        request = Request(method="GET", url=f"{base}/v2/", is_repeatable=is_repeatable)
        answer = self.http.fetch(request, limit=_PING_LIMIT)
        if answer.status not in (200, 401, 403, 404):
            # Some registries have no /v2/ of their own (404) but answer below it.
            raise failures.error_for(answer, subject="The registry's API", registry=self.name, action="answer for")


def _explained(error: TransportError, host: str) -> TransportError:
    """The same error, with what to do about it at a registry."""
    if not isinstance(error, TlsError):
        return error
    if isinstance(error, NoTlsError):
        hint = f"if it is meant to be a plain http server, set {INSECURE_VARIABLE}={host}"
    else:
        hint = (
            f"put its authority's certificate into /etc/docker/certs.d/{host}/ca.crt (or ~/.docker/certs.d); if it"
            " wants one of yours, put client.cert and client.key there"
        )
    return TlsError(error.message, details=error.details, hint=hint)
