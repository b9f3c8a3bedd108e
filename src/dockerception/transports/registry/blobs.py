"""Downloading blobs (distribution-spec, "Pulling blobs"): every byte verified, a cut one resumed where it ended."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from ...errors import ImageError, ImageNotFoundError
from ...http import CutError, Response
from ...oci.manifest import Descriptor
from ..base import Read
from ..verified import verified
from .session import Repository

_PROGRESS: Final = 1 << 20
_CONTENT_RANGE: Final = re.compile(r"bytes (\d+)-\d+/(?:\d+|\*)")
_CHUNK: Final = 1 << 20


def read_small(repository: Repository, blob: Descriptor, *, subject: str, limit: int) -> bytes:
    """A blob of at most ``limit`` bytes in one piece, verified.  ``subject`` begins messages: “The config …”."""
    if blob.size > limit:
        raise ImageError(f"{subject} has {blob.size} bytes; more than {limit} are not accepted.")
    parts = []
    with open_blob(repository, blob, subject=subject) as read:
        while chunk := read(_CHUNK):
            parts.append(chunk)
    return b"".join(parts)


@contextmanager
def open_blob(repository: Repository, blob: Descriptor, *, subject: str) -> Iterator[Read]:
    """A blob's bytes, size and digest verified at the end.  A connection that is cut is taken up again by range."""
    download = _Download(repository, blob, subject)
    try:
        yield verified(download.read, blob.digest, blob.size, origin=subject)
    finally:
        download.close()


class _Download:
    """One blob on its way: where we are in it, and the answer that it is read from."""

    def __init__(self, repository: Repository, blob: Descriptor, subject: str) -> None:
        self._repository = repository
        self._blob = blob
        self._subject = subject
        self._position = 0
        self._tried = 0
        self._last_cut_at = 0
        self._response: Response | None = None

    def read(self, size: int) -> bytes:
        while True:
            try:
                if self._response is None:
                    self._response = self._open()
                chunk = self._response.read(size)
            except CutError as error:
                self._wait_after(error)
                continue
            if chunk or self._position == self._blob.size:
                self._position += len(chunk)
                return chunk
            self._wait_after(CutError(f"{self._repository.connection.name} has ended {self._name} too early."))

    def close(self) -> None:
        response, self._response = self._response, None
        if response is not None:
            response.close()

    @property
    def _name(self) -> str:
        return self._subject[:1].lower() + self._subject[1:]

    def _wait_after(self, error: CutError) -> None:
        """Wait before the next try, or raise.  Tries count from the last one that has brought us forward."""
        self.close()
        if self._position - self._last_cut_at >= _PROGRESS:
            self._tried = 0
        self._last_cut_at = self._position
        self._tried += 1
        policy = self._repository.connection.http.policy
        delay = policy.delay(self._tried)
        if delay is None:
            raise error
        policy.sleep(delay)

    def _open(self) -> Response:
        headers = {"range": f"bytes={self._position}-"} if self._position else {}
        response = self._repository.connection.send(
            "GET", self._repository.url("blobs", self._blob.digest), scopes=self._repository.scopes, headers=headers
        )
        try:
            self._check(response)
            if self._position and response.status == 200:
                self._skip(response)
        except BaseException:
            response.close()
            raise
        return response

    def _check(self, response: Response) -> None:
        size = self._blob.size
        if response.status == 206 and self._position:
            begin = _CONTENT_RANGE.match(response.headers.get("content-range", ""))
            if begin is None or int(begin[1]) != self._position:
                raise ImageError(
                    f"{self._repository.connection.name} gives another part of {self._name} than asked for."
                )
            return
        if response.status == 416:
            raise ImageError(
                f"{self._subject} is damaged in the registry: it ends at byte {self._position} of {size}.",
                hint="push the image again",
            )
        if response.status == 404:
            raise ImageNotFoundError(
                f"{self._subject} is not in the registry, though the image's manifest names it.",
                hint="push the image again",
            )
        if response.status != 200:
            raise self._repository.connection.error(response, self._subject)
        stated = response.headers.get("content-length", "")
        if stated.isdigit() and int(stated) != size:
            raise ImageError(f"{self._subject} has {stated} bytes in the registry, but the manifest says {size}.")

    def _skip(self, response: Response) -> None:
        """Pass over what we have already, where the server does not know ranges; a cut in there begins anew."""
        left = self._position
        while left and (chunk := response.read(min(left, _CHUNK))):
            left -= len(chunk)
