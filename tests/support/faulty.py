"""A proxy in front of a registry that makes faults on order, and counts what goes through.

The client speaks to the proxy as if it were the registry: its address is passed on as ``Host``, so the links that the
registry makes lead here again.
"""

from __future__ import annotations

import http.client
import re
import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import msgspec

from support.tokens import TokenService

_CHUNK = 1 << 16
_HOP_BY_HOP = ("connection", "transfer-encoding", "keep-alive", "content-length")


class Seen(msgspec.Struct, frozen=True):
    """A request as it came, and the status that it got (0 where the connection was cut)."""

    method: str
    path: str
    headers: Mapping[str, str]
    status: int


class Fault(msgspec.Struct, kw_only=True):
    """What goes wrong, ``times`` times, with requests whose method and path match.

    Either an answer of our own (``status``, with ``headers`` and ``body``), or the registry's with a change: cut off
    after so many bytes of its body; its request cut off after so many; its body or its headers changed; ranges ignored;
    the answer thrown away.
    """

    method: str = "[A-Z]+"
    path: str = ""
    times: int = 1
    status: int = 0
    headers: Mapping[str, str] = {}
    body: bytes = b""
    cut_answer_after: int = -1
    cut_request_after: int = -1
    change: Callable[[bytes], bytes] | None = None
    change_headers: Mapping[str, str] = {}
    ignores_range: bool = False
    loses_answer: bool = False


class FaultyProxy:
    """The proxy; ``seen`` are the requests so far.  With ``tokens`` it wants bearer tokens of that service."""

    def __init__(self, upstream: str, tokens: TokenService | None = None) -> None:
        self.upstream = upstream
        self.tokens = tokens
        self.seen: list[Seen] = []
        self._faults: list[Fault] = []
        self._lock = threading.Lock()
        self._server = _Server(("127.0.0.1", 0), _handler_for(self))
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    @property
    def address(self) -> str:
        """``host:port``."""
        return f"127.0.0.1:{self._server.server_address[1]}"

    def inject(self, fault: Fault) -> None:
        """Have a fault happen; earlier ones come first."""
        with self._lock:
            self._faults.append(fault)

    def count(self, method: str, path: str) -> int:
        """How many requests of this method had a path that matches."""
        return sum(each.method == method and bool(re.search(path, each.path)) for each in list(self.seen))

    def next_fault(self, method: str, path: str) -> Fault | None:
        """The fault for a request, used up once."""
        with self._lock:
            for fault in self._faults:
                if fault.times and re.fullmatch(fault.method, method) and re.search(fault.path, path):
                    fault.times -= 1
                    return fault
        return None

    def close(self) -> None:
        """End it."""
        self._server.shutdown()
        self._server.server_close()


@contextmanager
def faulty_proxy(upstream: str, tokens: TokenService | None = None) -> Iterator[FaultyProxy]:
    """A proxy for the duration of a block."""
    proxy = FaultyProxy(upstream, tokens)
    try:
        yield proxy
    finally:
        proxy.close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """Clients that hang up are what this is about."""


def _handler_for(proxy: FaultyProxy) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_any(self) -> None:
            fault = proxy.next_fault(self.command, self.path)
            status = _serve(self, proxy, fault or Fault())
            headers = {name.lower(): value for name, value in self.headers.items()}
            proxy.seen.append(Seen(self.command, self.path, headers, status))

        do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_any

        def log_message(self, format: str, *args: object) -> None:
            """Tests look at ``seen``."""

    return Handler


def _serve(handler: BaseHTTPRequestHandler, proxy: FaultyProxy, fault: Fault) -> int:
    tokens = proxy.tokens
    if tokens is not None and handler.path.startswith("/token"):
        body = handler.rfile.read(int(handler.headers.get("content-length", "0")))
        if fault.status:
            return _answer(handler, fault.status, fault.headers, fault.body)
        status, document = tokens.answer(handler.command, handler.path, handler.headers.get("authorization", ""), body)
        return _answer(handler, status, {"content-type": "application/json"}, document)
    if fault.status:
        _drain(handler)
        return _answer(handler, fault.status, fault.headers, fault.body)
    if tokens is not None and not tokens.accepts(handler.headers.get("authorization", "")):
        _drain(handler)
        challenge = tokens.challenge(proxy.address, handler.command, handler.path)
        return _answer(handler, 401, {"www-authenticate": challenge}, b"")
    return _forward(handler, proxy, fault)


def _forward(handler: BaseHTTPRequestHandler, proxy: FaultyProxy, fault: Fault) -> int:
    connection = http.client.HTTPConnection(proxy.upstream)
    try:
        connection.putrequest(handler.command, handler.path, skip_host=True, skip_accept_encoding=True)
        for name, value in handler.headers.items():
            is_dropped = name.lower() == "authorization" and proxy.tokens is not None
            if not is_dropped and not (fault.ignores_range and name.lower() == "range"):
                connection.putheader(name, value)
        connection.endheaders()
        if not _send_body(handler, connection, fault.cut_request_after):
            _hang_up(handler)
            return 0
        answer = connection.getresponse()
        if fault.loses_answer:
            answer.read()
            _hang_up(handler)
            return 0
        return _pass_on(handler, answer, fault)
    finally:
        connection.close()


def _send_body(handler: BaseHTTPRequestHandler, connection: http.client.HTTPConnection, limit: int) -> bool:
    """Pass the request's body on; False where it was cut off on order."""
    left = int(handler.headers.get("content-length", "0"))
    sent = 0
    while left:
        chunk = handler.rfile.read(min(_CHUNK, left) if limit < 0 else min(_CHUNK, left, max(0, limit - sent)))
        if not chunk:
            return False
        connection.send(chunk)
        sent += len(chunk)
        left -= len(chunk)
    return True


def _pass_on(handler: BaseHTTPRequestHandler, answer: http.client.HTTPResponse, fault: Fault) -> int:
    headers = {name: value for name, value in answer.getheaders() if name.lower() not in _HOP_BY_HOP}
    headers = {**{name.lower(): value for name, value in headers.items()}, **fault.change_headers}
    length = answer.getheader("content-length", "0")
    body = b"" if handler.command == "HEAD" else answer.read()
    if fault.change is not None:
        body = fault.change(body)
        length = str(len(body))
    headers = {"content-length": length, **headers}
    if fault.cut_answer_after >= 0:
        _head(handler, answer.status, headers)
        handler.wfile.write(body[: fault.cut_answer_after])
        handler.wfile.flush()
        _hang_up(handler)
        return 0
    _head(handler, answer.status, headers)
    handler.wfile.write(body)
    return answer.status


def _answer(handler: BaseHTTPRequestHandler, status: int, headers: Mapping[str, str], body: bytes) -> int:
    _head(handler, status, {"content-length": str(len(body)), **headers})
    if handler.command != "HEAD":
        handler.wfile.write(body)
    return status


def _head(handler: BaseHTTPRequestHandler, status: int, headers: Mapping[str, str]) -> None:
    handler.send_response(status)
    for name, value in headers.items():
        handler.send_header(name, value)
    handler.end_headers()


def _drain(handler: BaseHTTPRequestHandler) -> None:
    left = int(handler.headers.get("content-length", "0"))
    while left and (chunk := handler.rfile.read(min(left, _CHUNK))):
        left -= len(chunk)


def _hang_up(handler: BaseHTTPRequestHandler) -> None:
    handler.close_connection = True
    try:
        handler.connection.shutdown(socket.SHUT_RDWR)
    except OSError:
        pass
