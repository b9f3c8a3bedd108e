"""The Context protocol: entries, bytes, a content digest, and whether owners count.

`docker build .`, a builder's stdout, ``COPY --from=stage``, ``FROM`` an image and ``--build-context name=…`` are all
this to an engine, so COPY is written once.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from ..oci.entry import Entry


class Context(Protocol):
    """Files that a build may read.  Immutable as far as the build can tell: a file that changes while it is read, or
    between its digest and its copy, raises ``ContextError``."""

    @property
    def keeps_owners(self) -> bool:
        """Whether COPY keeps uid and gid (stages, images) or makes them 0:0 (directories, streams)."""

    @property
    def origin(self) -> str:
        """What to call it in messages: “the context directory ./app”, “the stage build”."""

    def find(self, path: str) -> Entry | None:
        """The entry of exactly this path, links not followed.  The root ``""`` is always found, as a directory."""

    def children(self, path: str) -> Iterator[Entry]:
        """The entries directly inside a directory, in canonical order (see ``oci.toc``)."""

    def walk(self, path: str) -> Iterator[Entry]:
        """The entry of ``path`` and everything below it in canonical order; parents come before children.

        The root's own entry is yielded only if the context has one of its own.
        """

    def digest(self, entry: Entry) -> bytes:
        """The SHA-256 (32 bytes) of a regular file's contents; of a hard link, those of the file it names."""

    def read(self, entry: Entry) -> Iterator[bytes | memoryview]:
        """The contents of a regular file (or of the file that a hard link names), exactly ``size`` bytes in chunks.

        A chunk is valid until the next one is asked for.
        """
