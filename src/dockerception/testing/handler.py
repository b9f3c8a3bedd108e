"""The protocol of the test registry (distribution-spec 1.1): manifests, blobs by range, uploads whole and in chunks."""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from email.message import Message
from http.server import BaseHTTPRequestHandler
from typing import Final
from urllib.parse import parse_qs, urlsplit

import msgspec

from .contents import Contents, Manifest, digest_of

_ROUTES: Final = (
    ("manifest", re.compile(r"/v2/(?P<repository>.+)/manifests/(?P<name>[^/]+)")),
    ("blob", re.compile(r"/v2/(?P<repository>.+)/blobs/(?P<digest>sha256:[0-9a-f]{64})")),
    ("uploads", re.compile(r"/v2/(?P<repository>.+)/blobs/uploads/")),
    ("upload", re.compile(r"/v2/(?P<repository>.+)/blobs/uploads/(?P<upload>[0-9a-f]+)")),
    ("tags", re.compile(r"/v2/(?P<repository>.+)/tags/list")),
    ("base", re.compile(r"/v2/?")),
)
_BLOB_TYPE: Final = "application/octet-stream"


def handler_for(
    contents: Contents, requests: list[str], *, username: str, password: str
) -> type[BaseHTTPRequestHandler]:
    """The class of handlers that serve these contents and note the requests."""
    secret = base64.b64encode(f"{username}:{password}".encode()).decode()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_any(self) -> None:
            requests.append(f"{self.command} {self.path}")
            body = _read_body(self)
            answer = _Answer(contents, self.command, self.path, self.headers, body)
            if username and self.headers.get("authorization") != f"Basic {secret}":
                answer.fail(401, "UNAUTHORIZED", {"www-authenticate": 'Basic realm="test registry"'})
            else:
                answer.make()
            self.send_response(answer.status)
            for name, value in {"content-length": str(len(answer.body)), **answer.headers}.items():
                self.send_header(name, value)
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(answer.body)

        do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_any  # noqa: N815  named by the base class

        def log_message(self, format: str, *args: object) -> None:
            """Tests print what they want to say themselves."""

    return Handler


class _Answer:
    """The answer to one request."""

    def __init__(self, contents: Contents, method: str, target: str, headers: Message, body: bytes) -> None:
        self._contents = contents
        self._method = method
        parts = urlsplit(target)
        self._path = parts.path
        self._query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        self._request_headers = headers
        self._request_body = body
        self.status = 200
        self.headers: dict[str, str] = {}
        self.body = b""

    def make(self) -> None:
        """Find out what is asked for, and answer it."""
        for kind, route in _ROUTES:
            found = route.fullmatch(self._path)
            if found:
                names = found.groupdict()
                work = getattr(self, f"_{self._method.lower()}_{kind}".replace("_head_", "_get_"), None)
                if work is None:
                    self.fail(405, "UNSUPPORTED")
                else:
                    work(**names)
                return
        self.fail(404, "NAME_UNKNOWN")

    def fail(self, status: int, code: str, headers: Mapping[str, str] | None = None) -> None:
        """An error as the specification writes it."""
        self.status = status
        self.headers = {"content-type": "application/json", **(headers or {})}
        self.body = msgspec.json.encode({"errors": [{"code": code, "message": code.lower().replace("_", " ")}]})

    def _get_base(self) -> None:
        self.body = b"{}"

    def _get_tags(self, repository: str) -> None:
        with self._contents.lock:
            tags = sorted(self._contents.tags.get(repository, {}))
        self.body = msgspec.json.encode({"name": repository, "tags": tags})

    def _get_manifest(self, repository: str, name: str) -> None:
        manifest = self._contents.manifest(repository, name)
        if manifest is None:
            self.fail(404, "MANIFEST_UNKNOWN")
            return
        self.body = manifest.data
        self.headers = {"content-type": manifest.media_type, "docker-content-digest": digest_of(manifest.data)}

    def _put_manifest(self, repository: str, name: str) -> None:
        manifest = Manifest(self._request_headers.get("content-type", ""), self._request_body)
        if ":" in name and name != digest_of(manifest.data):
            self.fail(400, "DIGEST_INVALID")
            return
        try:
            missing = self._contents.lacks(repository, manifest)
        except (msgspec.DecodeError, KeyError, TypeError):
            self.fail(400, "MANIFEST_INVALID")
            return
        if missing:
            self.fail(404, "MANIFEST_BLOB_UNKNOWN")
            return
        digest = self._contents.add_manifest(repository, name, manifest)
        self._created(f"/v2/{repository}/manifests/{digest}", digest)

    def _get_blob(self, repository: str, digest: str) -> None:
        blob = self._contents.blob(repository, digest)
        if blob is None:
            self.fail(404, "BLOB_UNKNOWN")
            return
        self.headers = {"content-type": _BLOB_TYPE, "docker-content-digest": digest, "accept-ranges": "bytes"}
        wanted = re.fullmatch(r"bytes=(\d+)-(\d*)", self._request_headers.get("range", ""))
        if wanted is None:
            self.body = blob
            return
        begin, end = int(wanted[1]), min(int(wanted[2] or len(blob) - 1), len(blob) - 1)
        if begin > end:
            self.fail(416, "RANGE_INVALID", {"content-range": f"bytes */{len(blob)}"})
            return
        self.status = 206
        self.headers["content-range"] = f"bytes {begin}-{end}/{len(blob)}"
        self.body = blob[begin : end + 1]

    def _post_uploads(self, repository: str) -> None:
        digest = self._query.get("mount", "")
        source = self._contents.blob(self._query.get("from", ""), digest) if digest else None
        if source is not None:
            self._contents.add_blob(repository, source)
            self._created(f"/v2/{repository}/blobs/{digest}", digest)
            return
        upload = self._contents.begin_upload()
        if "digest" in self._query:
            self._put_upload(repository, upload)
            return
        self._accepted(202, repository, upload)

    def _get_upload(self, repository: str, upload: str) -> None:
        if upload not in self._contents.uploads:
            self.fail(404, "BLOB_UPLOAD_UNKNOWN")
            return
        self._accepted(204, repository, upload)

    def _patch_upload(self, repository: str, upload: str) -> None:
        if self._add(upload):
            self._accepted(202, repository, upload)

    def _put_upload(self, repository: str, upload: str) -> None:
        if not self._add(upload):
            return
        data = bytes(self._contents.uploads[upload])
        if digest_of(data) != self._query.get("digest"):
            self.fail(400, "DIGEST_INVALID")
            return
        del self._contents.uploads[upload]
        digest = self._contents.add_blob(repository, data)
        self._created(f"/v2/{repository}/blobs/{digest}", digest)

    def _delete_upload(self, repository: str, upload: str) -> None:
        self.status = 204 if self._contents.uploads.pop(upload, None) is not None else 404

    def _add(self, upload: str) -> bool:
        """Append the request's body to an upload, if it goes on where that ends."""
        held = self._contents.uploads.get(upload)
        if held is None:
            self.fail(404, "BLOB_UPLOAD_UNKNOWN")
            return False
        part = re.fullmatch(r"(\d+)-\d+", self._request_headers.get("content-range", ""))
        if part is not None and int(part[1]) != len(held):
            self.fail(416, "BLOB_UPLOAD_INVALID")
            return False
        held += self._request_body
        return True

    def _accepted(self, status: int, repository: str, upload: str) -> None:
        self.status = status
        size = len(self._contents.uploads[upload])
        self.headers = {"location": f"/v2/{repository}/blobs/uploads/{upload}", "range": f"0-{max(0, size - 1)}"}

    def _created(self, location: str, digest: str) -> None:
        self.status = 201
        self.headers = {"location": location, "docker-content-digest": digest}


def _read_body(handler: BaseHTTPRequestHandler) -> bytes:
    """The request's body, whole or in chunks (RFC 9112, 7.1)."""
    if "chunked" not in handler.headers.get("transfer-encoding", "").lower():
        return handler.rfile.read(int(handler.headers.get("content-length", "0")))
    body = b""
    while size := int(handler.rfile.readline().partition(b";")[0], 16):
        body += handler.rfile.read(size)
        handler.rfile.readline()
    while handler.rfile.readline().strip():
        pass  # trailers
    return body
