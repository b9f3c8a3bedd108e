"""Remote files and repositories as contexts of the store: what has not changed is not fetched again.

A server is asked for a file together with what it said of it last time, and a repository which commit a ref leads to.
With the checksum of a file that the store has, nobody is asked.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import msgspec

from ..context.archives import is_archive
from ..context.tar_context import TarContext
from ..context.tarstream import receive
from ..errors import ContextError, DockerfileError
from ..http.client import Client
from ..http.messages import shown
from ..oci.chunks import reader_of
from ..oci.documents import recorded
from ..oci.entry import FILE, Entry
from ..oci.stream_limits import Limits
from ..oci.toc import Toc
from ..store.disk import discard, disk_errors
from ..store.records import Record
from ..store.store import Store
from .checkout import spool_checkout, subdirectory
from .download import Download, Validators, download
from .locations import FileLocation, GitLocation
from .repository import Repository

_VERSION: Final = 1
_FILE_MODE: Final = 0o600  # Dockerfile reference, "Adding files from a URL"
_CHECKSUM: Final = re.compile(r"sha256:[0-9a-f]{64}")
_encode = msgspec.msgpack.Encoder().encode


class Fetched(msgspec.Struct, frozen=True, kw_only=True):
    """Remote files: their list, and the file of the store that has their contents.

    ``digest`` is that of the file (``sha256:…``) or the commit's id; ``name`` is the file's name in the list, empty for
    a repository; ``origin`` is what to call them in messages.
    """

    toc: Toc
    spool: str
    digest: str
    origin: str
    name: str = ""
    is_cached: bool = False

    @property
    def context(self) -> TarContext:
        """They as a context."""
        return TarContext(self.toc, self.spool, origin=self.origin)


class _KnownFile(msgspec.Struct, frozen=True, array_like=True):
    context: str
    validators: Validators


_decode_file = msgspec.msgpack.Decoder(_KnownFile).decode


class Remotes:
    """Fetches into a store.  ``limits`` are those of each file, each repository and each archive."""

    def __init__(self, store: Store, limits: Limits) -> None:
        self._store = store
        self._limits = limits

    def file(self, location: FileLocation, checksum: str = "") -> Fetched:
        """A file of a web server: a context with this one file in it, mode 0600, its time the server's.

        Raises ``ContextError`` if its SHA-256 is not the ``checksum``, ``DockerfileError`` for a checksum of another
        kind, and ``TransportError`` where the server does not give it.
        """
        if checksum and not _CHECKSUM.fullmatch(checksum):
            raise DockerfileError(
                f"“{checksum}” is no checksum of a file.", hint="give sha256: and 64 digits, as sha256sum prints them"
            )
        known = self._recorded(_checksum_key(location, checksum)) if checksum else None
        if known is not None:
            return _fetched_file(location, *known, is_cached=True)
        fetched = self._asked(location)
        if checksum and fetched.digest != checksum:
            raise ContextError(
                f"{shown(location.url)} has the digest {fetched.digest}, not {checksum}.",
                hint="the file has changed; if that is meant, change the checksum",
            )
        return fetched

    def repository(self, location: GitLocation) -> Fetched:
        """The files of a repository: modes 0755 and 0644, all times the commit's.

        Raises ``ContextError`` for a ref or a directory that is not there, or a commit that is not the checksum's, and
        ``TransportError`` where git can't reach it.
        """
        repository = Repository(location)
        commit, ref = repository.resolve()
        key = _key("repository", (location.remote, commit, location.keeps_git_dir, location.has_submodules))
        known = self._recorded(key)
        toc, spool = known or self._checked_out(repository, location, commit, ref, key)
        if location.subdir:
            toc = subdirectory(toc, location.subdir, repository.name)
        origin = f"the repository {repository.name}"
        return Fetched(toc=toc, spool=spool, digest=commit, origin=origin, is_cached=known is not None)

    def unpacked(self, fetched: Fetched) -> Fetched | None:
        """The files in the tar archive that a fetched file is; None if it is none.

        Raises ``StreamError`` for an archive that is damaged.
        """
        entry = fetched.context.find(fetched.name)
        if entry is None or not is_archive(fetched.context, entry):
            return None
        key = _key("context of an archive", fetched.digest)
        known = self._recorded(key)
        toc, spool = known or self._unpack(fetched, entry, key)
        return Fetched(toc=toc, spool=spool, digest=fetched.digest, origin=fetched.origin, is_cached=fetched.is_cached)

    def _unpack(self, fetched: Fetched, entry: Entry, key: str) -> tuple[Toc, str]:
        read = reader_of(fetched.context.read(entry))
        with self._new_file() as (path, descriptor):
            received = receive(read, spool=descriptor, origin=fetched.origin, source="archive", limits=self._limits)
            kept = self._store.contexts.keep(received.toc, path)
        self._store.records.put([Record(key, kept.encode(), (f"context:{kept}",))])
        return received.toc, self._store.contexts.spool_path(kept)

    def _asked(self, location: FileLocation) -> Fetched:
        """What the server has now: what is known of it already, if the server says so."""
        key = _key("file", location.url)
        known = recorded(_decode_file, self._store.records.get(key))
        toc = None if known is None else self._store.contexts.find(known.context)
        validators = Validators() if known is None or toc is None else known.validators
        with self._new_file() as (path, descriptor), Client() as client:
            got = download(client, location.url, descriptor, known=validators, max_bytes=self._limits.max_bytes)
            if got is not None:
                return self._kept(location, path, got, key)
        if known is None or toc is None:
            raise TypeError("a request without conditions is never answered by “not modified”")
        return _fetched_file(location, toc, self._store.contexts.spool_path(known.context), is_cached=True)

    def _kept(self, location: FileLocation, path: str, got: Download, key: str) -> Fetched:
        time = got.validators.mtime
        entry = Entry(
            path=location.name, kind=FILE, mode=_FILE_MODE, size=got.size, mtime=time, digest=got.digest, offset=0
        )
        toc = Toc.of([entry])
        kept = self._store.contexts.keep(toc, path)
        keeps = (f"context:{kept}",)
        by_checksum = _checksum_key(location, f"sha256:{got.digest.hex()}")
        self._store.records.put(
            [
                Record(key, _encode(_KnownFile(kept, got.validators)), keeps),
                Record(by_checksum, kept.encode(), keeps),
            ]
        )
        return _fetched_file(location, toc, self._store.contexts.spool_path(kept), is_cached=False)

    def _checked_out(
        self, repository: Repository, location: GitLocation, commit: str, ref: str, key: str
    ) -> tuple[Toc, str]:
        folder = self._store.temporary(".git")
        try:
            time = repository.check_out(commit, ref, folder)
            with self._new_file() as (path, descriptor):
                toc = spool_checkout(
                    folder,
                    descriptor,
                    time=time,
                    keeps_git_dir=location.keeps_git_dir,
                    name=repository.name,
                    max_bytes=self._limits.max_bytes,
                )
                kept = self._store.contexts.keep(toc, path)
        finally:
            shutil.rmtree(folder, ignore_errors=True)
        self._store.records.put([Record(key, kept.encode(), (f"context:{kept}",))])
        return toc, self._store.contexts.spool_path(kept)

    def _recorded(self, key: str) -> tuple[Toc, str] | None:
        """The list and the spool of a kept context."""
        digest = recorded(bytes.decode, self._store.records.get(key))
        toc = self._store.contexts.find(digest) if digest else None
        return None if not digest or toc is None else (toc, self._store.contexts.spool_path(digest))

    @contextmanager
    def _new_file(self) -> Iterator[tuple[str, int]]:
        """A new spool file, open for writing; what is still there in the end was not kept, and is removed."""
        path = self._store.contexts.new_spool()
        with disk_errors("making a file in the store"):
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            yield path, descriptor
        finally:
            os.close(descriptor)
            discard(path)


def _key(kind: str, what: object) -> str:
    return hashlib.sha256(_encode(("dockerception remote", _VERSION, kind, what))).hexdigest()


def _checksum_key(location: FileLocation, checksum: str) -> str:
    return _key("file with checksum", (location.name, checksum))


def _fetched_file(location: FileLocation, toc: Toc, spool: str, *, is_cached: bool) -> Fetched:
    entry = next(iter(toc))
    digest = f"sha256:{entry.digest.hex()}"
    return Fetched(
        toc=toc, spool=spool, digest=digest, origin=shown(location.url), name=entry.path, is_cached=is_cached
    )
