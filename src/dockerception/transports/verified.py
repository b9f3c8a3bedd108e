"""Reading with the promise that the bytes are the ones that were asked for."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager

from ..errors import ImageError, StreamError, UsageError
from ..oci import compression as compression_module
from ..reference import Digest
from .base import Read


def verified(read: Read, digest: str, size: int | None, *, origin: str) -> Read:
    """``read``, checked against a digest and a size in bytes (None where only the digest is known).

    The last bytes are handed out only once everything fits.  Raises ``ImageError`` that begins with ``origin`` (“The
    layer sha256:… in app.tar”).
    """
    expected = Digest.parse(digest)
    hasher = hashlib.new(expected.algorithm)
    count = 0
    is_done = False

    def check() -> None:
        nonlocal is_done
        is_done = True
        if hasher.hexdigest() != expected.hex:
            raise ImageError(
                f"{origin} is damaged: its bytes have the digest {expected.algorithm}:{hasher.hexdigest()}, "
                f"not {digest}.",
                hint="fetch or make it again",
            )

    def read_verified(length: int) -> bytes:
        nonlocal count
        if is_done:
            return b""
        chunk = read(length if size is None else min(length, size - count)) if size is None or size > count else b""
        if not chunk and size is not None and count < size:
            raise ImageError(f"{origin} is truncated: it has {count} bytes instead of {size}.")
        hasher.update(chunk)
        count += len(chunk)
        if count == size or (size is None and not chunk):
            check()
        return chunk

    return read_verified


@contextmanager
def image_errors() -> Iterator[None]:
    """Turn a ``StreamError`` (a tar or compressed stream that is not sound) into an ``ImageError``."""
    try:
        yield
    except StreamError as error:
        raise ImageError(error.message, details=error.details, hint=error.hint) from error


def decompressed(read: Read, compression: compression_module.Compression, *, origin: str) -> Read:
    """The decompressed bytes of ``read``; raises ``ImageError`` where they are damaged."""
    inner = compression_module.reader(read, compression, origin=origin)

    def read_decompressed(length: int) -> bytes:
        with image_errors():
            return inner(length)

    return read_decompressed


def digest_of(data: bytes) -> str:
    """The SHA-256 digest of these bytes."""
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def check_digest(text: str, subject: str) -> Digest:
    """The parsed digest; raises ``ImageError`` that begins with ``subject`` (“The image config lists the diff_id”)."""
    try:
        return Digest.parse(text)
    except UsageError as error:
        raise ImageError(f"{subject} “{text}”, which is not a digest.") from error


def check_document(data: bytes, digest: Digest, *, origin: str) -> bytes:
    """``data`` if it has this digest; raises ``ImageError`` that begins with ``origin`` otherwise."""
    actual = hashlib.new(digest.algorithm, data).hexdigest()
    if actual != digest.hex:
        raise ImageError(f"{origin} is damaged: its bytes have the digest {digest.algorithm}:{actual}, not {digest}.")
    return data
