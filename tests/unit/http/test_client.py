"""The client against a server in this process: tries, redirects, bodies, and who gets to see credentials."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from dockerception.errors import TransportError
from dockerception.http import Client, CutError, Policy, Request, shown

Answer = tuple[int, dict[str, str], bytes]


class Server:
    """Answers with what ``answers`` says for a path, one after another, the last one again and again."""

    def __init__(self) -> None:
        self.answers: dict[str, list[Answer]] = {}
        self.seen: list[tuple[str, str, dict[str, str], bytes]] = []
        self.ports: set[int] = set()
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_any(self) -> None:
                body = self.rfile.read(int(self.headers.get("content-length", "0")))
                headers = {name.lower(): value for name, value in self.headers.items()}
                server.ports.add(self.client_address[1])
                server.seen.append((self.command, self.path, headers, body))
                queue = server.answers[self.path]
                status, more, answer = queue.pop(0) if len(queue) > 1 else queue[0]
                self.send_response(status)
                for name, value in {"content-length": str(len(answer)), **more}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(answer)
                self.close_connection = "content-length" in more

            do_GET = do_PUT = do_POST = do_any

            def log_message(self, format: str, *args: object) -> None:
                """Quiet."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def make_server() -> Iterator[Callable[[], Server]]:
    servers: list[Server] = []

    def make() -> Server:
        servers.append(Server())
        return servers[-1]

    yield make
    for server in servers:
        server.close()


@pytest.fixture
def server(make_server: Callable[[], Server]) -> Server:
    return make_server()


@pytest.fixture
def waits() -> list[float]:
    return []


@pytest.fixture
def client(waits: list[float]) -> Iterator[Client]:
    with Client(policy=Policy(attempts=3, sleep=waits.append), environment={}) as found:
        yield found


def get(url: str, **more: str) -> Request:
    return Request(method="GET", url=url, authorization=more.get("authorization", ""))


def test_an_answer_of_any_status_is_given_back(server: Server, client: Client, waits: list[float]) -> None:
    server.answers["/"] = [(404, {"x-y": "z"}, b"no")]
    whole = client.fetch(get(f"{server.url}/"), limit=100)
    assert (whole.status, whole.headers["x-y"], whole.body) == (404, "z", b"no")
    assert waits == []
    assert server.seen[0][2]["user-agent"] == "dockerception"


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504])
def test_what_may_pass_is_tried_again(server: Server, client: Client, waits: list[float], status: int) -> None:
    server.answers["/"] = [(status, {}, b""), (200, {}, b"yes")]
    assert client.fetch(get(f"{server.url}/"), limit=100).body == b"yes"
    assert len(waits) == 1


def test_the_last_refusal_is_given_back(server: Server, client: Client, waits: list[float]) -> None:
    server.answers["/"] = [(503, {}, b"busy")]
    whole = client.fetch(get(f"{server.url}/"), limit=100)
    assert (whole.status, whole.body, len(server.seen), len(waits)) == (503, b"busy", 3, 2)


def test_a_body_begins_anew_with_each_try(server: Server, client: Client) -> None:
    server.answers["/"] = [(500, {}, b""), (200, {}, b"")]
    request = Request(method="PUT", url=f"{server.url}/", body=lambda: iter((b"a" * 10, b"b")), length=11)
    with client.send(request) as response:
        assert response.status == 200
    assert [each[3] for each in server.seen] == [b"a" * 10 + b"b"] * 2
    assert server.seen[0][2]["content-length"] == "11"


def test_a_body_that_is_cut_is_fetched_again(server: Server, client: Client) -> None:
    server.answers["/"] = [(200, {"content-length": "10"}, b"half"), (200, {}, b"whole")]
    assert client.fetch(get(f"{server.url}/"), limit=100).body == b"whole"
    server.answers["/"] = [(200, {"content-length": "10"}, b"half")]
    with pytest.raises(CutError):
        client.fetch(get(f"{server.url}/"), limit=100)


def test_a_body_has_a_limit(server: Server, client: Client) -> None:
    server.answers["/"] = [(200, {}, b"12345")]
    assert not client.fetch(get(f"{server.url}/"), limit=5).is_truncated
    whole = client.fetch(get(f"{server.url}/"), limit=4)
    assert (whole.body, whole.is_truncated) == (b"1234", True)


def test_credentials_stay_with_the_host_they_were_meant_for(make_server: Callable[[], Server], client: Client) -> None:
    one, two = make_server(), make_server()
    one.answers["/a"] = [(302, {"location": "/b"}, b"")]
    one.answers["/b"] = [(307, {"location": f"{two.url}/c?signature=x"}, b"")]
    two.answers["/c?signature=x"] = [(302, {"location": f"{one.url}/d"}, b"")]
    one.answers["/d"] = [(200, {}, b"there")]
    whole = client.fetch(get(f"{one.url}/a", authorization="Bearer secret"), limit=100)
    assert whole.body == b"there"
    assert [(each[1], each[2].get("authorization")) for each in one.seen] == [
        ("/a", "Bearer secret"),
        ("/b", "Bearer secret"),
        ("/d", None),
    ]
    assert "authorization" not in two.seen[0][2]


def test_redirects_have_an_end(server: Server, client: Client) -> None:
    server.answers["/"] = [(302, {"location": "/"}, b"")]
    with pytest.raises(TransportError, match="redirects more than 10 times"):
        client.fetch(get(f"{server.url}/"), limit=1)


def test_a_post_is_not_turned_into_a_get(server: Server, client: Client) -> None:
    server.answers["/"] = [(302, {"location": "/b"}, b"")]
    with client.send(Request(method="POST", url=f"{server.url}/", body=b"x")) as response:
        assert response.status == 302
    server.answers["/"] = [(307, {"location": "/b"}, b"")]
    server.answers["/b"] = [(200, {}, b"")]
    with client.send(Request(method="POST", url=f"{server.url}/", body=b"x")) as response:
        assert response.status == 200
    assert server.seen[-1][:2] == ("POST", "/b")
    assert server.seen[-1][3] == b"x"


@pytest.mark.parametrize("url", ["ftp://host/x", "http:///x", "file:///etc/passwd"])
def test_what_is_no_http_url(client: Client, url: str) -> None:
    with pytest.raises(TransportError, match="not a URL of the schemes http and https"):
        client.fetch(get(url), limit=1)


def test_connections_are_used_again(server: Server, client: Client) -> None:
    server.answers["/"] = [(200, {}, b"x")]
    for _ in range(3):
        with client.send(get(f"{server.url}/")) as response:
            assert response.status == 200  # its body is not read
    assert len(server.seen) == 3
    assert len(server.ports) == 1


def test_secrets_of_urls_are_not_shown() -> None:
    assert shown("https://me:secret@host:5000/v2/a?token=secret#x") == "https://host:5000/v2/a"
