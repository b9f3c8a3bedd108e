"""Files on web servers: fetched whole into a file, and not at all where the server says that nothing has changed."""

from __future__ import annotations

import hashlib
import os
from email.utils import parsedate_to_datetime
from typing import Final

import msgspec

from ..errors import ContextError, TransportError
from ..http.client import Client
from ..http.failures import CutError
from ..http.messages import Request, Response, shown
from ..store.disk import disk_errors

_CHUNK: Final = 1 << 20
_OK: Final = 200
_NOT_MODIFIED: Final = 304


class Validators(msgspec.Struct, frozen=True, array_like=True):
    """What tells whether a file is still the same (RFC 9110, 8.8): as the server gave it, empty where it did not."""

    etag: str = ""
    last_modified: str = ""

    @property
    def is_empty(self) -> bool:
        return not self.etag and not self.last_modified

    @property
    def mtime(self) -> int:
        """When the file was changed, in seconds since 1970, as far as the server says; else 0."""
        try:
            return max(0, int(parsedate_to_datetime(self.last_modified).timestamp()))
        except (ValueError, OverflowError):
            return 0


class Download(msgspec.Struct, frozen=True, kw_only=True):
    """A file that has arrived: the SHA-256 of its bytes, their number, and what tells whether it is still the same."""

    digest: bytes
    size: int
    validators: Validators


def download(client: Client, url: str, descriptor: int, *, known: Validators, max_bytes: int) -> Download | None:
    """Fetch a URL into an empty, open file; None if it is still the one that ``known`` tells of.

    A transfer that is cut begins anew.  Raises ``TransportError`` where the server does not give it, and
    ``ContextError`` when it has more than ``max_bytes`` bytes (0: no limit).
    """
    tried = 0
    while True:
        tried += 1
        try:
            with client.send(Request(method="GET", url=url, headers=_conditions(known))) as response:
                if response.status == _NOT_MODIFIED and not known.is_empty:
                    return None
                if response.status != _OK:
                    raise _refusal(url, response.status)
                return _receive(response, url, descriptor, max_bytes)
        except CutError:
            delay = client.policy.delay(tried)
            if delay is None:
                raise
            os.ftruncate(descriptor, 0)
            os.lseek(descriptor, 0, os.SEEK_SET)
            client.policy.sleep(delay)


def _receive(response: Response, url: str, descriptor: int, max_bytes: int) -> Download:
    hasher, size = hashlib.sha256(), 0
    with disk_errors("downloading a file"), open(descriptor, "wb", closefd=False) as file:
        while chunk := response.read(_CHUNK):
            hasher.update(chunk)
            size += len(chunk)
            if max_bytes and size > max_bytes:
                raise ContextError(
                    f"{shown(url)} has more than {max_bytes} bytes.", hint="allow more with --max-context SIZE"
                )
            file.write(chunk)
    validators = Validators(response.headers.get("etag", ""), response.headers.get("last-modified", ""))
    return Download(digest=hasher.digest(), size=size, validators=validators)


def _conditions(known: Validators) -> dict[str, str]:
    """The headers that ask for a file only if it has changed (RFC 9110, 13.1)."""
    if known.etag:
        return {"if-none-match": known.etag}
    return {"if-modified-since": known.last_modified} if known.last_modified else {}


def _refusal(url: str, status: int) -> TransportError:
    hints = {
        401: "it wants credentials, which can't be given here; fetch it in a RUN with --mount=type=secret",
        403: "the server does not allow it; fetch it in a RUN with --mount=type=secret if it wants credentials",
        404: "check the address",
    }
    return TransportError(f"{shown(url)} can't be had: the server answers {status}.", hint=hints.get(status, ""))
