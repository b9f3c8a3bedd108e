"""The receiving end of the pipe: a tar stream is checked, listed, hashed and spooled while it is still being written.

Nothing of it is believed before the whole of it has been seen to be sound; whether the writer's exit code was zero is
the caller's to check.  Nothing is unpacked: entries are rows of a toc, contents are ranges of the spool file.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import msgspec

from ..errors import EmitTimeoutError, StreamError
from ..oci import compression
from ..oci.entry import DIRECTORY, FILE, HARDLINK, Entry
from ..oci.stream_limits import Limits
from ..oci.tarreader import CHUNK_SIZE, TarReader
from ..oci.tarwriter import BLOCK_SIZE
from ..oci.toc import Toc, TocBuilder
from . import stream_faults
from .sealing import seal
from .spooler import Spooler

_DOCKERFILE_HEAD: Final = 1 << 14
_SAMPLE_SIZE: Final = 1 << 16

MAX_CONTEXT_OPTION: Final = "--max-context"
DEFAULT_LIMITS: Final = Limits(max_bytes=64 << 30, bytes_option=MAX_CONTEXT_OPTION)
"""A sparse file may claim any size in a few bytes, so there is always a limit."""

Read = Callable[[int], bytes]
OnProgress = Callable[[int, int], None]
"""Called with the bytes received so far (uncompressed) and the number of entries, about once a mebibyte."""


class Received(msgspec.Struct, frozen=True, kw_only=True):
    """A stream that has arrived whole.  ``toc`` is sealed (see ``sealing``); its offsets point into the spool.

    ``spool_size`` is the length of the spool, ``stream_size`` that of the (uncompressed) archive, both in bytes.
    """

    toc: Toc
    spool_size: int
    stream_size: int
    compression: compression.Compression


def receive(
    read: Read,
    *,
    spool: int,
    origin: str,
    source: stream_faults.Source,
    limits: Limits = DEFAULT_LIMITS,
    on_progress: OnProgress | None = None,
    has_only_listed: bool = False,
) -> Received:
    """Read a tar stream to its end: plain or compressed, of any of the common formats.

    ``read(n)`` returns up to ``n`` bytes, none at the end.  ``spool`` is a descriptor of an empty file, open for
    writing; it gets the contents of all files, one after another.  ``origin`` begins the messages, e.g. “The context on
    standard input”.  Owners stay in the toc as they are in the stream.  ``has_only_listed`` leaves out of it the
    directories that the stream only implies (see ``sealing``).

    Raises ``StreamError`` for anything but a whole, sound archive within the limits, ``DiskFullError`` and
    ``StoreError`` when the spool can't be written, and whatever ``read`` raises.
    """
    raw = _PushedBack(read)
    try:
        kind, plain = _begin(raw, origin, source)
        rows, size, position = _receive(plain.read, spool, origin, source, limits, on_progress)
        toc = seal(rows.builder, origin, limits, has_only_listed=has_only_listed)
        return Received(toc=toc, spool_size=size, stream_size=position, compression=kind)
    except EmitTimeoutError:
        raise
    except StreamError as error:
        if source == "archive":
            raise  # no program has written it just now
        raise stream_faults.explained(error, raw.sample) from error


def _begin(raw: _PushedBack, origin: str, source: stream_faults.Source) -> tuple[compression.Compression, _PushedBack]:
    """Find out what the stream is; raises unless it begins as a tar archive does, compressed or not."""
    try:
        head = raw.peek(compression.MAGIC_SIZE)
        if not head:
            raise stream_faults.empty(source, origin)
        kind = compression.detect(head)
        plain = raw if kind == "none" else _PushedBack(compression.reader(raw.read, kind, origin=origin))
        # A server that says one line may then be silent for ever.
        head = plain.peek(BLOCK_SIZE, until=stream_faults.is_text if source == "emitted" else None)
    except EmitTimeoutError as error:
        raise stream_faults.silent(error, raw.sample) from error
    if not stream_faults.is_tar(head):
        # A builder that talks may go on for ever; a file on standard input ends.
        more = plain.peek(_DOCKERFILE_HEAD) if source == "stdin" else head
        raise stream_faults.not_a_tar(more, raw.sample, source, origin)
    return kind, plain


def _receive(
    read: Read,
    spool: int,
    origin: str,
    source: stream_faults.Source,
    limits: Limits,
    on_progress: OnProgress | None,
) -> tuple[_Rows, int, int]:
    """The rows of the toc, and how long the spool and the plain stream are."""
    rows = _Rows(origin)
    reader = TarReader(read, origin=origin, limits=limits, checks_padding=source != "archive")
    count = reported = 0
    with Spooler(spool, rows.keep) as spooler:
        for entry in reader:
            count += 1
            spooler.add(entry)
            if entry.size:
                for chunk in reader.contents():
                    spooler.write(chunk)
            if on_progress is not None and reader.position - reported >= CHUNK_SIZE:
                reported = reader.position
                on_progress(reported, count)
    if on_progress is not None:
        on_progress(reader.position, count)
    return rows, spooler.size, reader.position


class _Rows:
    """Collects the rows of the toc as the entries arrive."""

    def __init__(self, origin: str) -> None:
        self.builder = TocBuilder()
        self._origin = origin

    def keep(self, entry: Entry, digest: bytes, offset: int) -> None:
        if entry.kind == FILE:
            entry = msgspec.structs.replace(entry, digest=digest, offset=offset)
        elif entry.kind == HARDLINK:
            entry = self._linked(entry)
        if entry.path:
            self.builder.add(entry)

    def _linked(self, entry: Entry) -> Entry:
        """What a hard link stands for at this place of the stream: later, its target may be another file."""
        target = self.builder.find(entry.link)
        if target is None or target.path == entry.path:
            raise StreamError(
                f"{self._origin} has the hard link {entry.path} to {entry.link}, which is not in the archive before it."
            )
        if target.kind == DIRECTORY:
            raise StreamError(f"{self._origin} has the hard link {entry.path} to the directory {entry.link}.")
        if target.kind == FILE:
            return msgspec.structs.replace(target, path=entry.path, kind=HARDLINK, link=target.path)
        return msgspec.structs.replace(target, path=entry.path)


class _PushedBack:
    """A stream whose first bytes can be looked at before they are read.  ``sample`` keeps the first of them."""

    def __init__(self, read: Read) -> None:
        self._read = read
        self._ahead = b""
        self.sample = b""

    def peek(self, size: int, *, until: Callable[[bytes], bool] | None = None) -> bytes:
        """The next ``size`` bytes, or all there are; fewer as soon as ``until`` is true of them."""
        while len(self._ahead) < size and not (until is not None and until(self._ahead)):
            chunk = self._next(CHUNK_SIZE)
            if not chunk:
                break
            self._ahead += chunk
        return self._ahead[:size]

    def read(self, size: int) -> bytes:
        """As ``read`` of the stream."""
        if self._ahead:
            piece, self._ahead = self._ahead[:size], self._ahead[size:]
            return piece
        return self._next(size)

    def _next(self, size: int) -> bytes:
        chunk = self._read(size)
        if len(self.sample) < _SAMPLE_SIZE:
            self.sample += chunk[: _SAMPLE_SIZE - len(self.sample)]
        return chunk
