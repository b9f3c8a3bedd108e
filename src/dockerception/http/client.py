"""Sending requests: pools of connections, tries, redirects."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Mapping
from typing import Any, Final
from urllib.parse import urlsplit

import msgspec

from ..errors import TransportError
from .failures import ConnectionFailedError, CutError
from .messages import Request, Response, Whole, joined, origin_of, shown
from .proxy import find_proxy
from .retry import RETRIED, Policy
from .tls import Tls
from .translate import connection_error, cut_error

_MAX_REDIRECTS: Final = 10
_POOL_SIZE: Final = 16
_CHUNK: Final = 1 << 20
_SHORT: Final = 1 << 16
_SAFE: Final = ("GET", "HEAD")


class Client:
    """Sends requests, from any number of threads.

    ``tls_for(host[:port])`` gives the TLS settings for a host.  ``timeout`` is the longest silence in seconds, when
    connecting as well as between two reads.  ``close`` it, or use it as a context manager.
    """

    def __init__(
        self,
        *,
        tls_for: Callable[[str], Tls] | None = None,
        policy: Policy | None = None,
        timeout: float = 60.0,
        environment: Mapping[str, str] | None = None,
        user_agent: str = "dockerception",
    ) -> None:
        self._tls_for = tls_for or (lambda host: Tls())
        self.policy = policy or Policy()
        self._timeout = timeout
        self._environment = os.environ if environment is None else environment
        self._user_agent = user_agent
        self._lock = threading.Lock()
        self._pools: dict[tuple[str, str], Any] = {}

    def send(self, request: Request) -> Response:
        """Send a request, follow its redirects, try again where that may help.  Close what is returned.

        An answer of any status is returned, after the last try also a 429 or 5xx.  Raises ``ConnectionFailedError`` or
        ``TlsError`` when there is no answer.
        """
        tried = 0
        while True:
            tried += 1
            try:
                response = self._follow(request)
            except ConnectionFailedError:
                delay = self.policy.delay(tried) if request.is_repeatable else None
                if delay is None:
                    raise
            else:
                delay = self.policy.delay(tried, response.headers) if response.status in RETRIED else None
                if delay is None:
                    return response
                response.close()
            self.policy.sleep(delay)

    def fetch(self, request: Request, *, limit: int) -> Whole:
        """``send``, and the whole body, at most ``limit`` bytes of it.  A body that is cut is fetched again."""
        tried = 0
        while True:
            tried += 1
            try:
                with self.send(request) as response:
                    body = _read_up_to(response, limit + 1)
            except CutError:
                delay = self.policy.delay(tried) if request.is_repeatable else None
                if delay is None:
                    raise
                self.policy.sleep(delay)
                continue
            return Whole(
                status=response.status,
                headers=response.headers,
                url=response.url,
                body=body[:limit],
                is_truncated=len(body) > limit,
            )

    def close(self) -> None:
        """Close all connections that are idle."""
        with self._lock:
            pools, self._pools = self._pools, {}
        for pool in pools.values():
            pool.clear()

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def _follow(self, request: Request) -> Response:
        """One try, redirects included (RFC 9110, 15.4)."""
        current = request
        for _ in range(_MAX_REDIRECTS + 1):
            response = self._once(current)
            target = response.headers.get("location", "")
            if not target or not _is_followed(response.status, current.method):
                return response
            response.close()
            current = _redirected(current, joined(current.url, target))
        raise TransportError(f"{shown(request.url)} redirects more than {_MAX_REDIRECTS} times.")

    def _once(self, request: Request) -> Response:
        import urllib3

        headers = {"user-agent": self._user_agent, "accept-encoding": "identity", **request.headers}
        if request.authorization:
            headers["authorization"] = request.authorization
        body = request.body
        if callable(body):
            headers["content-length"] = str(request.length)
            body = body()  # type: ignore[assignment]
        try:
            raw = self._pool(request.url).urlopen(
                request.method,
                request.url,
                headers=headers,
                body=body,
                redirect=False,
                retries=False,
                preload_content=False,
                decode_content=False,
                timeout=urllib3.Timeout(connect=self._timeout, read=self._timeout),
            )
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise connection_error(error, request.url, self._timeout) from error
        return self._response(raw, request)

    def _response(self, raw: Any, request: Request) -> Response:
        import urllib3

        def read(size: int) -> bytes:
            try:
                data: bytes = raw.read(size)
            except (urllib3.exceptions.HTTPError, OSError) as error:
                raise cut_error(error, request.url, self._timeout) from error
            return data

        def close() -> None:
            # A short rest is read, so that the connection can be used again; a long one is not worth it.
            if raw.length_remaining is not None and raw.length_remaining <= _SHORT:
                raw.drain_conn()
            raw.close()

        headers = {name.lower(): value for name, value in raw.headers.items()}
        return Response(status=raw.status, headers=headers, url=request.url, read=read, close=close)

    def _pool(self, url: str) -> Any:
        """The pool for a URL's host: hosts differ in TLS settings and proxies."""
        scheme, host, port = origin_of(url)
        if scheme not in ("http", "https") or not host:
            raise TransportError(f"{shown(url)} is not a URL of the schemes http and https.")
        name = f"{host}:{port}"
        with self._lock:
            key = (scheme, name)
            if key not in self._pools:
                self._pools[key] = self._new_pool(url, scheme)
            return self._pools[key]

    def _new_pool(self, url: str, scheme: str) -> Any:
        import urllib3

        settings: dict[str, Any] = {"maxsize": _POOL_SIZE, "num_pools": 2}
        if scheme == "https":
            tls = self._tls_for(urlsplit(url).netloc.rpartition("@")[2].lower())
            settings |= {"ssl_context": tls.context(), "cert_reqs": "CERT_REQUIRED" if tls.is_verified else "CERT_NONE"}
            if not tls.is_verified:
                settings["assert_hostname"] = False
                urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)
        proxy = find_proxy(url, self._environment)
        if not proxy:
            return urllib3.PoolManager(**settings)
        try:
            return urllib3.ProxyManager(proxy, proxy_headers=_proxy_headers(proxy), **settings)
        except urllib3.exceptions.ProxySchemeUnknown as error:
            raise TransportError(
                f"The proxy {shown(proxy)} is of a kind that is not supported.", hint="use an http:// or https:// proxy"
            ) from error


def _proxy_headers(proxy: str) -> dict[str, str]:
    from base64 import b64encode
    from urllib.parse import unquote

    parts = urlsplit(proxy)
    if parts.username is None:
        return {}
    secret = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
    return {"proxy-authorization": f"Basic {b64encode(secret.encode()).decode()}"}


def _is_followed(status: int, method: str) -> bool:
    return status in (307, 308) or (status in (301, 302, 303) and method in _SAFE)


def _redirected(request: Request, url: str) -> Request:
    """The request at its new place; credentials stay with the origin that they were meant for."""
    before, after = origin_of(request.url), origin_of(url)
    if before[0] == "https" and after[0] != "https":
        raise TransportError(f"{shown(request.url)} redirects to {shown(url)}, which is not encrypted.")
    authorization = request.authorization if before == after else ""
    return msgspec.structs.replace(request, url=url, authorization=authorization)


def _read_up_to(response: Response, limit: int) -> bytes:
    parts = []
    while limit > 0 and (chunk := response.read(min(limit, _CHUNK))):
        parts.append(chunk)
        limit -= len(chunk)
    return b"".join(parts)
