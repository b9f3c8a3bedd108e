"""Requests and answers as values."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from types import TracebackType
from urllib.parse import SplitResult, urljoin, urlsplit, urlunsplit

import msgspec

from ..errors import TransportError

Body = bytes | Callable[[], Iterator[bytes]] | None


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """A request.  ``headers`` have lower-case names.

    ``body`` is bytes, or a callable that begins it anew for each try; then ``length`` is its size in bytes.
    ``authorization`` is sent to the URL's own host only, never to where it redirects.  Without ``is_repeatable`` a
    connection that fails is not tried again.
    """

    method: str
    url: str
    headers: Mapping[str, str] = {}
    authorization: str = ""
    body: Body = None
    length: int = 0
    is_repeatable: bool = True


class Response:
    """An answer whose body is still to be read: ``read`` it, or leave it; ``close`` it.  A context manager.

    ``url`` is where it came from in the end; ``headers`` have lower-case names.
    """

    def __init__(
        self,
        *,
        status: int,
        headers: Mapping[str, str],
        url: str,
        read: Callable[[int], bytes],
        close: Callable[[], None],
    ) -> None:
        self.status = status
        self.headers = headers
        self.url = url
        self.read = read
        """At most n bytes, none at the end.  Raises ``CutError`` where the body ends early."""
        self.close = close

    def __enter__(self) -> Response:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class Whole(msgspec.Struct, frozen=True, kw_only=True):
    """An answer with all of its body; ``is_truncated`` says that the body was longer than what was allowed."""

    status: int
    headers: Mapping[str, str]
    url: str
    body: bytes = b""
    is_truncated: bool = False


def shown(url: str) -> str:
    """A URL as messages may show it: without user, password, query and fragment, which can hold secrets."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return f"{url.partition(':')[0]}:…"  # in what is no URL a secret may be anywhere
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit((parts.scheme, host, parts.path, "", ""))


def split(url: str) -> SplitResult:
    """The parts of a URL.  Raises ``TransportError`` for what is none."""
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError as error:  # brackets without an address, or a port that is no number
        raise TransportError(f"{shown(url)} is not a URL.") from error
    return parts


def joined(base: str, target: str) -> str:
    """Where a server sends whoever has asked for ``base``.  Raises ``TransportError`` for what is no URL."""
    try:
        return urljoin(base, target)
    except ValueError as error:
        raise TransportError(f"{shown(base)} leads to something that is not a URL.") from error


def origin_of(url: str) -> tuple[str, str, int]:
    """Scheme, host and port: what must be equal for credentials to be sent along (RFC 6454).

    Raises ``TransportError`` for what is no URL.
    """
    parts = split(url)
    port = parts.port or {"http": 80, "https": 443}.get(parts.scheme, 0)
    return parts.scheme.lower(), (parts.hostname or "").lower(), port
