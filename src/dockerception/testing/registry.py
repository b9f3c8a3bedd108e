"""A registry for tests: the OCI distribution specification over http on this machine, its contents in memory.

with Registry() as registry:
    dockerception.build("src", tags=[registry.name("app:1")], outputs=[Output(type="registry")])
    assert registry.tags("app") == ["1"]
"""

from __future__ import annotations

import threading
from http.server import ThreadingHTTPServer
from types import TracebackType
from typing import Final

from .contents import Contents, Manifest
from .handler import handler_for

_POLL_SECONDS: Final = 0.02  # how long closing it takes at most


class Registry:
    """A registry that runs in threads of this process between ``start`` and ``close``; a context manager.

    With a ``username`` it wants Basic credentials.  ``requests`` are the requests so far, as ``METHOD path``.
    """

    def __init__(self, *, username: str = "", password: str = "") -> None:
        self.contents = Contents()
        self.requests: list[str] = []
        handler = handler_for(self.contents, self.requests, username=username, password=password)
        self._server = _Server(("127.0.0.1", 0), handler)
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(_POLL_SECONDS,), name="test-registry", daemon=True
        )

    @property
    def address(self) -> str:
        """``host:port``; loopback, so http is allowed without a word."""
        host, port = self._server.server_address[:2]
        return f"{host!s}:{port}"

    def name(self, text: str) -> str:
        """The full name of ``app:1`` here."""
        return f"{self.address}/{text}"

    def tags(self, repository: str) -> list[str]:
        """The tags of a repository."""
        with self.contents.lock:
            return sorted(self.contents.tags.get(repository, {}))

    def manifest(self, repository: str, name: str) -> Manifest | None:
        """The manifest that a tag or a digest leads to."""
        return self.contents.manifest(repository, name)

    def blob(self, repository: str, digest: str) -> bytes | None:
        """A blob's bytes."""
        return self.contents.blob(repository, digest)

    def start(self) -> None:
        """Begin to answer."""
        self._thread.start()

    def close(self) -> None:
        """End; what it held is still there to look at."""
        if self._thread.is_alive():
            self._server.shutdown()
            self._thread.join()
        self._server.server_close()

    def __enter__(self) -> Registry:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that hangs up is no fault of the tests that this is for."""
