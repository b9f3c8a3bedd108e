"""Says what is probably wrong with a stream that is no sound tar archive."""

from __future__ import annotations

import re
from typing import Final, Literal

from ..errors import EmitTimeoutError, StreamError
from ..oci.tarheader import has_valid_checksum
from ..oci.tarwriter import BLOCK_SIZE
from ..oci.unexpected import UnexpectedBytesError, found

Source = Literal["emitted", "stdin", "archive"]
"""Where a stream comes from; of an archive it is known that it begins as one."""

_DOCKERFILE: Final = re.compile(
    rb"\A(?:\xef\xbb\xbf)?\s*(?:#[^\n]*\n\s*)*(?:FROM\s+\S|ARG\s+\w|(?:#\s*(?:syntax|escape|check)\s*=))", re.IGNORECASE
)
_LOGS_HINT: Final = (
    "only the tar archive may go to stdout; send logs to stderr (2> or >&2), and give tar no -v together with -f -"
)
_TTY_HINT: Final = (
    "every line feed has a carriage return before it: the stream came through a terminal; "
    "run the builder without one (no -t, no --tty)"
)
_SAMPLE_SIZE: Final = 1 << 16
_LINE: Final = re.compile(rb"[^\0-\x08\x0e-\x1a\x1c-\x1f\x7f]*\n")


def empty(source: Source, origin: str) -> StreamError:
    """The error for a stream without a single byte."""
    if source == "emitted":
        return StreamError(
            f"{origin} is empty: the builder wrote nothing to stdout.",
            hint="its command must write a tar archive with a Dockerfile to stdout, e.g. tar -cC /out .; "
            "if the image is the result itself, use “dockerception assemble”",
        )
    return StreamError(
        f"{origin} is empty; a tar archive was expected.",
        hint="if another command writes it, look for that command's error message",
    )


def not_a_tar(head: bytes, sample: bytes, source: Source, origin: str) -> StreamError:
    """The error for a stream whose first bytes (``head``, decompressed; ``sample``, as they came) are no tar header."""
    what = found(head[:BLOCK_SIZE])
    message = f"{origin} is not a tar archive {what}."
    if source == "stdin" and _DOCKERFILE.match(head):
        return StreamError(
            f"{origin} is a Dockerfile, not a tar archive {what}.", hint="this is a Dockerfile: use -f -"
        )
    if head.startswith(b"PK\x03\x04"):
        return StreamError(f"{origin} is a zip archive, not a tar archive.", hint="pack the files with tar")
    if is_through_terminal(sample):
        return StreamError(message, hint=_TTY_HINT)
    if source == "stdin":
        return StreamError(message, hint=f"{_LOGS_HINT}; a Dockerfile on standard input is given with -f -")
    return StreamError(message, hint=f"{_LOGS_HINT}; if the image is the result itself, use “dockerception assemble”")


def explained(error: StreamError, sample: bytes) -> StreamError:
    """The same error with a hint, if the stream's first bytes (``sample``) or the error show what happened to it."""
    if error.hint:
        return error
    if is_through_terminal(sample):
        return StreamError(error.message, hint=_TTY_HINT)
    if isinstance(error, UnexpectedBytesError):
        return StreamError(error.message, hint=_LOGS_HINT)
    return error


def silent(error: EmitTimeoutError, head: bytes) -> EmitTimeoutError:
    """The error of a builder that fell silent, with what it had written instead of a tar archive."""
    if not head:
        return error
    return EmitTimeoutError(
        f"{error.message} Until then it had written {len(head)} bytes that are no tar archive {found(head)}.",
        hint="if the image is the result itself and not a builder, use “dockerception assemble”",
    )


def is_through_terminal(sample: bytes) -> bool:
    """Whether a terminal has put a carriage return before every line feed of these bytes."""
    sample = sample[:_SAMPLE_SIZE]
    line_feeds = sample.count(b"\n")
    return line_feeds > 0 and line_feeds == sample.count(b"\r\n")


def is_text(head: bytes) -> bool:
    """Whether a stream that begins like this, with less than a tar header, begins with a line of text.

    Whoever writes archives writes a header at once; and no sane one begins with a name that has a line feed.
    """
    return len(head) < BLOCK_SIZE and _LINE.match(head) is not None


def is_tar(head: bytes) -> bool:
    """Whether a stream that begins like this may be a tar archive: a header, or the end of an empty one."""
    block = head[:BLOCK_SIZE]
    return not block.strip(b"\0") or (len(block) == BLOCK_SIZE and has_valid_checksum(block))
