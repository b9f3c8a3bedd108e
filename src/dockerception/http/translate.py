"""The library's exceptions as our errors: what happened, in words, and what to do."""

from __future__ import annotations

import ssl
from urllib.parse import urlsplit

from ..errors import TransportError
from .failures import ConnectionFailedError, CutError, NoTlsError, TlsError, UnknownHostError
from .messages import shown


def connection_error(error: BaseException, url: str, timeout: float) -> TransportError:
    """The error for a request that got no answer."""
    import urllib3

    host = urlsplit(url).netloc.rpartition("@")[2]
    tls = _find(error, ssl.SSLError)
    if tls is not None and not isinstance(tls, ssl.SSLEOFError | ssl.SSLZeroReturnError):
        return _tls_error(tls, host)
    if isinstance(error, urllib3.exceptions.LocationParseError):
        return TransportError(f"{shown(url)} is not a URL: {error}.")
    where = f"The proxy for {host}" if isinstance(error, urllib3.exceptions.ProxyError) else host
    if _find(error, urllib3.exceptions.NameResolutionError) is not None:
        return UnknownHostError(
            f"{where} can't be reached: its name can't be resolved.",
            hint="check the name, and whether the network and its DNS servers work",
        )
    if _find(error, urllib3.exceptions.TimeoutError) is not None and not _is_refused(error):
        return ConnectionFailedError(f"{where} has not answered for {timeout:g} s.", hint="is the network up?")
    cause = _find(error, OSError)
    reason = cause.strerror if isinstance(cause, OSError) and cause.strerror else "it has closed the connection"
    return ConnectionFailedError(
        f"{where} can't be reached: {reason}.", hint="is the network up, the server running, and the port right?"
    )


def cut_error(error: BaseException, url: str, timeout: float) -> CutError:
    """The error for an answer that ended early."""
    import urllib3

    host = urlsplit(url).netloc.rpartition("@")[2]
    if isinstance(error, urllib3.exceptions.TimeoutError):
        return CutError(f"{host} has sent nothing for {timeout:g} s, in the middle of {shown(url)}.")
    return CutError(f"{host} has closed the connection in the middle of {shown(url)}.")


def _tls_error(error: BaseException, host: str) -> TlsError:
    if isinstance(error, ssl.SSLCertVerificationError):
        return TlsError(f"The certificate of {host} is not trusted: {error.verify_message}.")
    reason = getattr(error, "reason", "") or str(error)
    if reason in ("WRONG_VERSION_NUMBER", "HTTP_REQUEST", "UNKNOWN_PROTOCOL", "RECORD_LAYER_FAILURE"):
        return NoTlsError(f"{host} does not speak TLS (https).", hint="it may be a plain http server")
    return TlsError(f"The TLS connection to {host} failed: {reason.replace('_', ' ').lower()}.")


def _is_refused(error: BaseException) -> bool:
    """The library's class for a connection that can't be made is one of its timeouts, for reasons of its own."""
    import urllib3

    return _find(error, urllib3.exceptions.NewConnectionError) is not None


def _find(error: BaseException, wanted: type[BaseException]) -> BaseException | None:
    """The first exception of a kind among an exception, its reasons and its causes."""
    seen: set[int] = set()
    queue: list[BaseException] = [error]
    while queue:
        current = queue.pop(0)
        if id(current) in seen:
            continue
        seen.add(id(current))
        if isinstance(current, wanted):
            return current
        inner = [getattr(current, "reason", None), current.__cause__, current.__context__, *current.args]
        queue += [each for each in inner if isinstance(each, BaseException)]
    return None
