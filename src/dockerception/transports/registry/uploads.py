"""Uploading blobs (distribution-spec, "Pushing Blobs"): what is there already is never sent, what was cut is resumed.

A small blob goes up in one request.  A larger one does so too, but as a chunk: when that breaks, registries keep what
they got, are asked how far that was, and get the rest; where one can't say, the upload begins anew.  Where a proxy
finds the request too large, it goes up in several chunks.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Final, Literal
from urllib.parse import parse_qsl, quote, urlencode, urlsplit, urlunsplit

import msgspec

from ...errors import ImageError, TransportError
from ...http import ConnectionFailedError, Response
from ...http.messages import joined
from ...http.retry import RETRIED
from ...oci.manifest import Descriptor
from .session import Repository

_WHOLE_BYTES: Final = 1 << 20
_CHUNK_BYTES: Final = 32 << 20
_RANGE: Final = re.compile(r"(?:bytes[= ])?0-(\d+)")
Chunks = Callable[[], Iterator[bytes]]
Outcome = Literal["present", "mounted", "sent"]


class _InterruptedError(TransportError):
    """An upload that may go on after a while; ``headers`` are those of the refusal, if there was one."""

    def __init__(self, error: TransportError | ImageError, headers: dict[str, str]) -> None:
        super().__init__(error.message, details=error.details, hint=error.hint)
        self.headers = headers


class _TooLargeError(TransportError):
    """A request body that somebody on the way does not take whole."""


class Blob(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be uploaded.  ``chunks()`` begins its bytes anew; ``subject`` begins messages: “The layer …”."""

    descriptor: Descriptor
    chunks: Chunks
    subject: str


def exists(repository: Repository, digest: str) -> bool:
    """Whether the repository has a blob."""
    with repository.connection.send("HEAD", repository.url("blobs", digest), scopes=repository.scopes) as response:
        return response.status == 200


def upload(
    repository: Repository, blob: Blob, *, mount_from: tuple[str, ...] = (), advance: Callable[[int], None]
) -> Outcome:
    """Have a blob in the repository: found there, mounted from one of those of the same registry, or sent.

    ``advance(n)`` is told how many more bytes have gone, a negative number where some have to go again.  Raises what
    the registry refuses with, and the last error after several tries.
    """
    return _Upload(repository, blob, advance).run(mount_from)


class _Upload:
    def __init__(self, repository: Repository, blob: Blob, advance: Callable[[int], None]) -> None:
        self._repository = repository
        self._connection = repository.connection
        self._blob = blob
        self._size = blob.descriptor.size
        self._advance = advance
        self._told = 0
        self._location = ""
        self._chunk_bytes = 0  # everything at once

    def run(self, mount_from: tuple[str, ...]) -> Outcome:
        if exists(self._repository, self._blob.descriptor.digest):
            return "present"
        if any(self._mount(source) for source in mount_from):
            return "mounted"
        tried = 0
        while True:
            tried += 1
            try:
                self._send_from(self._begin_or_resume())
            except _TooLargeError:
                self._chunk_bytes = _CHUNK_BYTES
                continue
            except _InterruptedError as error:
                delay = self._connection.http.policy.delay(tried, error.headers)
                if delay is None:
                    raise TransportError(error.message, details=error.details, hint=error.hint) from error
                self._connection.http.policy.sleep(delay)
                if exists(self._repository, self._blob.descriptor.digest):
                    return "sent"  # only the answer was lost
                continue
            return "sent"

    def _mount(self, source: str) -> bool:
        """Have the registry take the blob over from another repository (“Mounting a blob from another repository”)."""
        query = urlencode({"mount": self._blob.descriptor.digest, "from": source})
        response = self._start(f"?{query}")
        if response.status == 201:
            response.close()
            return True
        if response.status == 202:
            self._location = self._next(response)  # it did not, and has begun an upload instead
        response.close()
        return False

    def _begin_or_resume(self) -> int:
        """Have a session; returns how many bytes it has already."""
        if self._location and self._told:
            offset = self._offset()
            if offset is not None:
                return offset
            self._location = ""
        if not self._location:
            response = self._start("")
            if response.status != 202:
                raise self._refusal(response)
            self._location = self._next(response)
        return 0

    def _start(self, query: str) -> Response:
        path = f"/v2/{self._repository.path}/blobs/uploads/{query}"
        return self._connection.send("POST", path, scopes=self._repository.scopes, body=b"")

    def _offset(self) -> int | None:
        """How far the session got (“Get upload status”); None where the registry can't say."""
        with self._connection.send("GET", self._location, scopes=self._repository.scopes) as response:
            held = _RANGE.fullmatch(response.headers.get("range", ""))
            if response.status not in (200, 202, 204) or not held:
                return None
            self._location = self._next(response)
        # Both “nothing” and “one byte” are written 0-0; a byte sent twice is refused, so begin anew.
        offset = int(held[1]) + 1
        return offset if 1 < offset <= self._size else None

    def _send_from(self, offset: int) -> None:
        if self._size > _WHOLE_BYTES:
            while offset < self._size:
                end = min(self._size, offset + (self._chunk_bytes or self._size))
                self._patch(offset, end)
                offset = end
        self._finish(offset)

    def _patch(self, begin: int, end: int) -> None:
        headers = {"content-type": "application/octet-stream", "content-range": f"{begin}-{end - 1}"}
        response = self._try("PATCH", self._location, headers, begin, end)
        if response.status not in (201, 202, 204):
            raise self._refusal(response)
        self._location = self._next(response)

    def _finish(self, begin: int) -> None:
        """Send what is left with the digest; the registry then has the blob, or refuses it."""
        url = _with_query(self._location, {"digest": self._blob.descriptor.digest})
        response = self._try("PUT", url, {"content-type": "application/octet-stream"}, begin, self._size)
        if response.status not in (201, 204):
            raise self._refusal(response)
        response.close()

    def _try(self, method: str, url: str, headers: dict[str, str], begin: int, end: int) -> Response:
        """One try: what breaks is not simply repeated, because part of it has arrived."""
        self._set_progress(begin)
        try:
            return self._connection.send(
                method,
                url,
                scopes=self._repository.scopes,
                headers=headers,
                body=lambda: self._part(begin, end),
                length=end - begin,
                is_repeatable=False,
            )
        except ConnectionFailedError as error:
            raise _InterruptedError(error, {}) from error

    def _part(self, begin: int, end: int) -> Iterator[bytes]:
        """The bytes of a part of the blob."""
        self._set_progress(begin)
        position = 0
        for chunk in self._blob.chunks():
            if position >= end:
                break
            piece = chunk[max(0, begin - position) : end - position]
            position += len(chunk)
            if piece:
                yield piece
                self._set_progress(self._told + len(piece))

    def _set_progress(self, position: int) -> None:
        change, self._told = position - self._told, position
        if change:
            self._advance(change)

    def _next(self, response: Response) -> str:
        """Where the upload goes on: each answer may name another place."""
        response.close()
        location = response.headers.get("location", "")
        if not location:
            raise TransportError(f"{self._connection.name} does not say where to upload {self._name} to.")
        return joined(response.url, location)

    def _refusal(self, response: Response) -> TransportError | ImageError:
        error = self._connection.error(response, self._blob.subject, action="take")
        if response.status == 413 and not self._chunk_bytes and self._size > _CHUNK_BYTES:
            return _TooLargeError(error.message)
        # 416 and 404: the session is not where we think it is, or gone.
        if response.status in RETRIED or response.status in (404, 416):
            if response.status in (404, 416):
                self._location = ""
            return _InterruptedError(error, dict(response.headers))
        return error

    @property
    def _name(self) -> str:
        return self._blob.subject[:1].lower() + self._blob.subject[1:]


def _with_query(url: str, more: dict[str, str]) -> str:
    parts = urlsplit(url)
    query = urlencode([*parse_qsl(parts.query, keep_blank_values=True), *more.items()], quote_via=quote, safe=":")
    return urlunsplit((parts.scheme, parts.netloc, parts.path, query, ""))
