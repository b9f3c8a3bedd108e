"""The here-documents of COPY and ADD as a context."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

from ...dockerfile import instructions as ins
from ...oci.entry import FILE, Entry
from ...oci.toc import Toc, directory


class InlineContext:
    """Files whose contents are in the Dockerfile (see ``context.base.Context``)."""

    keeps_owners = False
    origin = "the Dockerfile"

    def __init__(self, instruction: ins.Copy | ins.Add, *, time: int) -> None:
        self._contents = {file.name: file.content.encode(errors="surrogateescape") for file in instruction.files}
        self._toc = Toc.of(
            Entry(path=path, kind=FILE, size=len(data), mtime=time, digest=hashlib.sha256(data).digest())
            for path, data in self._contents.items()
        )

    def find(self, path: str) -> Entry | None:
        return directory("") if path == "" else self._toc.find(path)

    def children(self, path: str) -> Iterator[Entry]:
        return self._toc.children(path)

    def walk(self, path: str) -> Iterator[Entry]:
        return self._toc.walk(path)

    def digest(self, entry: Entry) -> bytes:
        return entry.digest

    def read(self, entry: Entry) -> Iterator[bytes]:
        yield self._contents[entry.path]
