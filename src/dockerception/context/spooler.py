"""Writes the files of a stream into one spool file and hashes them, while the stream is still being read.

Three threads work on batches of about a mebibyte: the caller's reads and parses, one hashes and keeps the list, one
writes.  Hashing and writing release the interpreter lock, so they overlap; small files cost no hand-over of their own.
"""

from __future__ import annotations

import hashlib
import os
import queue
import threading
from collections.abc import Callable, Iterator
from itertools import islice
from typing import Final

import msgspec

from ..oci.entry import Entry
from ..oci.tarreader import ZEROS
from ..store.disk import disk_errors

_BATCH_BYTES: Final = 1 << 20
_BATCH_PIECES: Final = 1000
_BATCHES_AHEAD: Final = 6
_MAX_VECTOR: Final = 1000
"""How many pieces one writev may take (IOV_MAX is 1024)."""


Keep = Callable[[Entry, bytes, int], None]
"""Gets each entry with the digest of its contents and where they start in the spool."""


class Batch(msgspec.Struct):
    """Contents that follow one another in the spool from ``offset`` on, and the entries that begin among them.

    ``starts`` holds, for each entry, the number of pieces before its first.  ``has_rest`` says that the last entry's
    contents go on in the next batch.
    """

    offset: int
    pieces: list[memoryview]
    entries: list[Entry]
    starts: list[int]
    has_rest: bool = False


class Spooler:
    """Takes entries and their contents in order.

    ``keep`` is called in the hashing thread, in the entries' order.  Use the spooler as a context manager: leaving it
    ends the threads, and raises what went wrong in them: ``DiskFullError``, ``StoreError``, or what ``keep`` raised.
    """

    def __init__(self, spool: int, keep: Keep) -> None:
        self._spool = spool
        self._keep = keep
        self._hasher = hashlib.sha256()
        self._current: Entry | None = None
        self._current_at = 0
        self._size = 0
        self._bytes = 0
        self._batch = Batch(0, [], [], [])
        self._stages = (_Stage("hash", self._hash), _Stage("spool", self._write))

    @property
    def size(self) -> int:
        """How many bytes the spool has, including what is still to be written."""
        return self._size

    def add(self, entry: Entry) -> None:
        """Begin an entry."""
        batch = self._batch
        batch.entries.append(entry)
        batch.starts.append(len(batch.pieces))
        if len(batch.entries) >= _BATCH_PIECES:
            self._flush(has_rest=True)

    def write(self, piece: memoryview) -> None:
        """More contents of the entry added last.  The piece must stay as it is; pieces of ``ZEROS`` become holes."""
        self._batch.pieces.append(piece)
        self._size += len(piece)
        self._bytes += len(piece)
        if self._bytes >= _BATCH_BYTES or len(self._batch.pieces) >= _BATCH_PIECES:
            self._flush(has_rest=True)

    def _flush(self, *, has_rest: bool) -> None:
        batch = self._batch
        batch.has_rest = has_rest
        self._batch = Batch(self._size, [], [], [])
        self._bytes = 0
        for stage in self._stages:
            stage.put(batch)

    def __enter__(self) -> Spooler:
        return self

    def __exit__(self, kind: type[BaseException] | None, value: object, traceback: object) -> None:
        if kind is None:
            self._flush(has_rest=False)
        for stage in self._stages:
            stage.close(is_abandoned=kind is not None)
        if kind is None:
            for stage in self._stages:
                stage.raise_error()
            _guard(self._spool, lambda: os.ftruncate(self._spool, self._size))

    def _hash(self, batch: Batch) -> None:
        position = batch.offset
        pieces = iter(batch.pieces)
        done = 0
        for start, entry in zip([*batch.starts, len(batch.pieces)], [*batch.entries, None], strict=True):
            for piece in islice(pieces, start - done):
                self._hasher.update(piece)
                position += len(piece)
            done = start
            if entry is not None:
                self._finish()
                self._current, self._current_at = entry, position
        if not batch.has_rest:
            self._finish()

    def _finish(self) -> None:
        """Hand on the entry whose contents are complete."""
        entry = self._current
        if entry is not None:
            self._current = None
            self._keep(entry, self._hasher.digest(), self._current_at)
            if entry.size:
                self._hasher = hashlib.sha256()

    def _write(self, batch: Batch) -> None:
        position = batch.offset
        for run in _runs(batch.pieces):
            length = sum(map(len, run))
            if run[0].obj is not ZEROS.obj:
                self._write_all(run, position)
            position += length

    def _write_all(self, pieces: list[memoryview], position: int) -> None:
        while pieces:
            written = _guard(self._spool, lambda: os.pwritev(self._spool, pieces, position))  # noqa: B023  (called at once)
            position += written
            while pieces and written >= len(pieces[0]):
                written -= len(pieces.pop(0))
            if written:
                pieces[0] = pieces[0][written:]


class _Stage:
    """One thread that works on batches in order.  After an error it only empties its queue."""

    def __init__(self, name: str, work: Callable[[Batch], None]) -> None:
        self._work = work
        self._queue: queue.Queue[Batch | None] = queue.Queue(_BATCHES_AHEAD)
        self._error: BaseException | None = None
        self._is_abandoned = False
        self._thread = threading.Thread(target=self._run, name=f"context-{name}", daemon=True)
        self._thread.start()

    def put(self, batch: Batch) -> None:
        """Queue a batch; raises the error that the thread met before."""
        self.raise_error()
        self._queue.put(batch)

    def close(self, *, is_abandoned: bool) -> None:
        """Wait until everything queued is done; if abandoned, skip it."""
        self._is_abandoned = is_abandoned
        self._queue.put(None)
        self._thread.join()

    def raise_error(self) -> None:
        """Raise what went wrong, if anything."""
        if self._error is not None:
            raise self._error

    def _run(self) -> None:
        while True:
            batch = self._queue.get()
            if batch is None:
                return
            if self._error is None and not self._is_abandoned:
                try:
                    self._work(batch)
                except BaseException as error:  # noqa: BLE001  (raised again in the caller's thread)
                    self._error = error


def _runs(pieces: list[memoryview]) -> Iterator[list[memoryview]]:
    """Neighbouring pieces that can be written together: all zeros or all data, and not too many."""
    run: list[memoryview] = []
    for piece in pieces:
        if run and ((piece.obj is ZEROS.obj) != (run[0].obj is ZEROS.obj) or len(run) >= _MAX_VECTOR):
            yield run
            run = []
        run.append(piece)
    if run:
        yield run


def _guard(spool: int, call: Callable[[], int | None]) -> int:
    """Make a system call on the spool, its failures told in our words."""
    with disk_errors("keeping the context that is being received", spool):
        return call() or 0
