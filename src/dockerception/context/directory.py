"""A directory of this machine as a context: listed once, read where it lies, never copied."""

from __future__ import annotations

import errno
import hashlib
import os
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Final

from ..errors import ContextError
from ..oci import toc as tocs
from ..oci.entry import HARDLINK, Entry, parents
from . import directory_listing
from .digest_cache import DIGEST_SIZE, SIGNATURE_SIZE, DigestCache, KnownDigests, NoCache, is_settled, signature
from .directory_listing import NO_SIGNATURE
from .ignore import IgnoreRules

_CHUNK_SIZE: Final = 1 << 20
_UNKNOWN: Final = bytes(DIGEST_SIZE)
_EMPTY: Final = hashlib.sha256().digest()
_OPEN_FLAGS: Final = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK


class DirectoryContext:
    """The files below ``root`` that ``rules`` do not ignore (see ``base.Context`` for the methods).

    The directory is listed at the first question and then taken as it was: a file that has changed since raises
    ``ContextError`` when its digest or bytes are asked for.  Contents are only read when needed, and not at all where
    ``cache`` knows the digest.  ``on_note`` gets the ``notes`` when they are known.  May be used by several threads.

    Raises ``ContextError`` if ``root`` is missing or no directory.
    """

    def __init__(
        self,
        root: str,
        *,
        rules: IgnoreRules | None = None,
        cache: DigestCache | None = None,
        on_note: Callable[[str], object] | None = None,
    ) -> None:
        self._root = root.rstrip("/") or "/"
        self._rules = rules
        self._on_note = on_note
        self._cache: DigestCache = cache or NoCache()
        self._lock = threading.Lock()
        self._listed: directory_listing.Listing | None = None
        self._known = KnownDigests()
        self._digests = bytearray()
        _check_directory(root)

    @property
    def keeps_owners(self) -> bool:
        return False

    @property
    def origin(self) -> str:
        return f"the context directory {self._root}"

    @property
    def root(self) -> str:
        """The path of the directory."""
        return self._root

    @property
    def patterns(self) -> tuple[str, ...]:
        """The ignore rules as the lines of an ignore file."""
        runs = self._rules.runs if self._rules is not None else ()
        return tuple(pattern.text for run in runs for pattern in run.patterns)

    @property
    def notes(self) -> tuple[str, ...]:
        """What is not as it lies there, one sentence each."""
        return self._listing.notes

    @property
    def toc(self) -> tocs.Toc:
        """The list of all entries, without digests."""
        self._check_readable("")
        return self._listing.toc

    def find(self, path: str) -> Entry | None:
        if path == "":
            return tocs.directory("")
        entry = self._listing.toc.find(path)
        if entry is None and self._listing.unreadable:
            for above in ["", *parents(path)]:
                if above in self._listing.unreadable:
                    raise self._unreadable(above)
        return entry

    def children(self, path: str) -> Iterator[Entry]:
        if path in self._listing.unreadable:
            raise self._unreadable(path)
        return self._listing.toc.children(path)

    def walk(self, path: str) -> Iterator[Entry]:
        self._check_readable(path)
        return self._listing.toc.walk(path)

    def digest(self, entry: Entry) -> bytes:
        index = self._index(entry)
        known = self._digest_at(index)
        return self._hash(entry.link if entry.kind == HARDLINK else entry.path, index) if known is None else known

    def digest_below(self, path: str) -> None:
        """Find the digests of all files at and below ``path``, two files at a time, and keep them in the cache."""
        self._check_readable(path)
        toc = self._listing.toc
        unknown = (index for index in toc.span(path) if self._is_unknown(index))
        wanted = [(toc.path_at(index), index) for index in unknown]
        _in_two_threads(lambda item: self._hash(*item), wanted)
        self.save_digests()

    def save_digests(self) -> None:
        """Keep the digests found so far in the cache, if there are new ones."""
        with self._lock:
            if self._known.has_news:
                signatures = self._listing.signatures
                starts = range(0, len(signatures), SIGNATURE_SIZE)
                data = self._known.encode(signatures[at : at + SIGNATURE_SIZE] for at in starts)
                self._cache.save(self._root, data)

    def read(self, entry: Entry) -> Iterator[bytes | memoryview]:
        index = self._index(entry)
        path = entry.link if entry.kind == HARDLINK else entry.path
        if path in self._listing.hollow:
            return
        expected = self._digest_at(index)
        if expected is None or is_settled(self._signature(index), self._listing.taken_ns):
            yield from self._read(path, index)
            return
        # Changed within one tick of the clock before it was listed: its times could not tell of another change.
        hasher = hashlib.sha256()
        for chunk in self._read(path, index):
            hasher.update(chunk)
            yield chunk
        if hasher.digest() != expected:
            raise self._changed(path)

    def read_control_file(self, path: str, *, max_bytes: int = _CHUNK_SIZE) -> bytes | None:
        """A file of the directory, ignored or not, links followed: for the Dockerfile and ignore files, never for COPY.

        None if there is no such file.  Raises ``ContextError`` if it can't be read or is larger than ``max_bytes``.
        """
        return read_control_file(self._root, path, max_bytes=max_bytes)

    @property
    def _listing(self) -> directory_listing.Listing:
        listed = self._listed
        if listed is None:
            with self._lock:
                if self._listed is None:
                    listed = directory_listing.take(self._root, self._rules)
                    self._digests = _digests(listed)
                    self._known = KnownDigests(self._cache.load(self._root))
                    self._listed = listed
                    if self._on_note is not None:
                        for note in listed.notes:
                            self._on_note(note)
                return self._listed
        return listed

    def _index(self, entry: Entry) -> int:
        index = self._listing.toc.index(entry.link if entry.kind == HARDLINK else entry.path)
        if index is None:
            raise ContextError(f"There is no file {entry.path} in {self.origin}.")
        return index

    def _signature(self, index: int) -> bytes:
        return self._listing.signatures[SIGNATURE_SIZE * index : SIGNATURE_SIZE * (index + 1)]

    def _digest_at(self, index: int) -> bytes | None:
        start = DIGEST_SIZE * index
        found = bytes(self._digests[start : start + DIGEST_SIZE])
        return self._known.find(self._signature(index)) if found == _UNKNOWN else found

    def _is_unknown(self, index: int) -> bool:
        """Whether the entry of this number is a file whose digest is still to be found."""
        return self._signature(index) != NO_SIGNATURE and self._digest_at(index) is None

    def _hash(self, path: str, index: int) -> bytes:
        started_ns = time.time_ns()
        hasher = hashlib.sha256()
        for chunk in self._read(path, index):
            hasher.update(chunk)
        digest = hasher.digest()
        file_signature = self._signature(index)
        with self._lock:
            self._digests[DIGEST_SIZE * index : DIGEST_SIZE * (index + 1)] = digest
            if is_settled(file_signature, started_ns):
                self._known.add(file_signature, digest)
        return digest

    def _read(self, path: str, index: int) -> Iterator[memoryview]:
        """The contents of a file, which must be as it was when it was listed, before and after."""
        expected = self._signature(index)
        try:
            descriptor = os.open(f"{self._root}/{path}", _OPEN_FLAGS)
        except OSError as error:
            raise self._cannot_open(path, error) from error
        try:
            status = os.fstat(descriptor)
            if signature(status) != expected:
                raise self._changed(path)
            left = status.st_size
            buffer = memoryview(bytearray(min(left, _CHUNK_SIZE)))
            while left:
                length = os.readv(descriptor, [buffer[:left]])
                if not length:
                    raise self._changed(path)
                left -= length
                yield buffer[:length]
            if signature(os.fstat(descriptor)) != expected:
                raise self._changed(path)
        except OSError as error:
            raise ContextError(f"The file {path} of {self.origin} can't be read: {error.strerror}.") from error
        finally:
            os.close(descriptor)

    def _check_readable(self, path: str) -> None:
        """Raise if the directory ``path`` or one below it could not be listed."""
        for other in self._listing.unreadable:
            if path in ("", other) or other.startswith(path + "/"):
                raise self._unreadable(other)

    def _unreadable(self, path: str) -> ContextError:
        return ContextError(
            f"The directory {path or '.'} of {self.origin} can't be listed: {self._listing.unreadable[path]}.",
            hint="make it readable, or name it in .dockerignore",
        )

    def _cannot_open(self, path: str, error: OSError) -> ContextError:
        if error.errno in (errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ENXIO):
            return self._changed(path)
        return ContextError(
            f"The file {path} of {self.origin} can't be read: {error.strerror}.",
            hint="make it readable, or name it in .dockerignore",
        )

    def _changed(self, path: str) -> ContextError:
        return ContextError(
            f"The file {path} of {self.origin} changed while the build was using it.",
            hint="build again when nothing writes to it, or name it in .dockerignore",
        )


def read_control_file(root: str, path: str, *, max_bytes: int = _CHUNK_SIZE) -> bytes | None:
    """As ``DirectoryContext.read_control_file``, for when the ignore rules are not known yet."""
    try:
        with open(f"{root}/{path}", "rb") as file:
            data = file.read(max_bytes + 1)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise ContextError(f"The file {path} of the directory {root} can't be read: {error.strerror}.") from error
    if len(data) > max_bytes:
        raise ContextError(f"The file {path} of the directory {root} is larger than {max_bytes} bytes.")
    return data


def _digests(listing: directory_listing.Listing) -> bytearray:
    """The digests that are known without reading anything, in the order of the list; zeros for the others."""
    digests = bytearray(DIGEST_SIZE * len(listing.toc))
    for path in listing.hollow:
        index = listing.toc.index(path)
        if index is not None:
            digests[DIGEST_SIZE * index : DIGEST_SIZE * (index + 1)] = _EMPTY
    return digests


def _check_directory(root: str) -> None:
    if not os.path.isdir(root):
        what = "is not a directory" if os.path.lexists(root) else "does not exist"
        raise ContextError(
            f"The context directory {root} {what}.",
            hint="give the directory that holds the files to build from, or - for a tar archive on standard input",
        )


def _in_two_threads(work: Callable[[tuple[str, int]], object], items: Iterable[tuple[str, int]]) -> None:
    """Do the work for each item; the first error ends it and is raised."""
    pending = iter(list(items))
    errors: list[BaseException] = []

    def drain() -> None:
        try:
            for item in pending:
                if errors:
                    return
                work(item)
        except BaseException as error:  # noqa: BLE001  (raised again below, in the caller's thread)
            errors.append(error)

    helper = threading.Thread(target=drain, name="hash-files", daemon=True)
    helper.start()
    drain()
    helper.join()
    if errors:
        raise errors[0]
