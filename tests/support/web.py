"""A web server for files and repositories: it counts what it is asked for, and speaks git's own protocol below /git."""

from __future__ import annotations

import hashlib
import os
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from support.tools import need

_GIT = "/git/"


class Web:
    """A running server.  ``asked`` has a line for each request: method, path and status.

    ``cuts`` is how many of the next transfers break off in the middle; ``has_validators`` whether it tells what files
    are by ETag and Last-Modified.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.address = ""
        self.asked: list[str] = []
        self.cuts = 0
        self.has_validators = True

    def bodies(self, path: str) -> int:
        """How often the whole of a file was sent."""
        return self.asked.count(f"GET {path} 200")


@contextmanager
def running_web(root: Path) -> Iterator[Web]:
    """A server of the files below ``root``, on loopback, for the duration of the block."""
    web = Web(root)
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(web))
    web.address = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield web
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def make_repository(folder: Path) -> Path:
    """A bare repository ``folder``.git: branch main (two commits, the first tagged v1), a tag and a branch ``twin``."""
    need("git")
    environment = {
        **os.environ,
        "GIT_AUTHOR_DATE": "1700000000 +0000",
        "GIT_COMMITTER_DATE": "1700000000 +0000",
        "GIT_CONFIG_GLOBAL": "/dev/null",
    }

    def git(*arguments: str) -> None:
        identity = ("-c", "user.name=A", "-c", "user.email=a@example.org")
        subprocess.run(["git", *identity, *arguments], cwd=folder, env=environment, check=True, capture_output=True)

    folder.mkdir(parents=True)
    git("init", "--initial-branch=main")
    (folder / "docs").mkdir()
    (folder / "docs" / "text").write_text("one\n")
    (folder / "Dockerfile").write_text("FROM scratch\nCOPY run docs /\n")
    (folder / "run").write_text("#!/bin/sh\n")
    (folder / "run").chmod(0o700)
    (folder / "link").symlink_to("docs/text")
    git("add", ".")
    git("commit", "-m", "one")
    git("tag", "-a", "-m", "first", "v1")
    git("tag", "twin")
    (folder / "docs" / "text").write_text("two\n")
    git("commit", "-a", "-m", "two")
    git("branch", "twin")
    git("update-ref", "refs/pull/7/head", "v1^{commit}")
    bare = folder.with_suffix(".git")
    git("clone", "--mirror", str(folder), str(bare))
    return bare


def commit_of(repository: Path, name: str, *, kind: str = "commit") -> str:
    """The id of the commit (or of the annotated tag) that a name leads to."""
    command = ["git", "-C", str(repository), "rev-parse", f"{name}^{{{kind}}}"]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def _handler(web: Web) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            if self.path.startswith(_GIT):
                self._git()
            else:
                self._file()

        def do_POST(self) -> None:
            self._git()

        def _file(self) -> None:
            path = web.root / unquote(self.path.partition("?")[0]).lstrip("/")
            if not path.is_file():
                self._answer(404, b"nothing here\n", {})
                return
            data = path.read_bytes()
            etag = f'"{hashlib.sha256(data).hexdigest()[:16]}"'
            changed = formatdate(path.stat().st_mtime, usegmt=True)
            headers = {"ETag": etag, "Last-Modified": changed} if web.has_validators else {}
            if self.headers.get("If-None-Match") == etag:
                self._answer(304, b"", headers)
                return
            self._answer(200, data, headers)

        def _answer(self, status: int, data: bytes, headers: dict[str, str]) -> None:
            web.asked.append(f"{self.command} {self.path} {status}")
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            if web.cuts and status == 200:
                web.cuts -= 1
                data = data[: len(data) // 2]
                self.close_connection = True
            self.wfile.write(data)

        def _git(self) -> None:
            path, _, query = self.path.removeprefix(_GIT[:-1]).partition("?")
            length = int(self.headers.get("Content-Length") or 0)
            variables = {
                "PATH": os.environ["PATH"],
                "GIT_PROJECT_ROOT": str(web.root),
                "GIT_HTTP_EXPORT_ALL": "1",
                "PATH_INFO": path,
                "QUERY_STRING": query,
                "REQUEST_METHOD": self.command,
                "CONTENT_TYPE": self.headers.get("Content-Type", ""),
                "CONTENT_LENGTH": str(length),
                "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""),
                "GIT_PROTOCOL": self.headers.get("Git-Protocol", ""),
                "GIT_CONFIG_COUNT": "1",
                "GIT_CONFIG_KEY_0": "safe.directory",
                "GIT_CONFIG_VALUE_0": "*",
            }
            done = subprocess.run(
                ["git", "http-backend"], input=self.rfile.read(length), env=variables, capture_output=True, check=False
            )
            head, _, body = done.stdout.partition(b"\r\n\r\n")
            headers = dict(line.split(": ", 1) for line in head.decode().splitlines())
            status = int(headers.pop("Status", "200").split()[0])
            self._answer(status, body, headers)

        def log_message(self, format: str, *args: Any) -> None:
            pass

    return Handler
